package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"lastnight"
	"lastnight/collector/kube/watch"
)

// kubernetes looks whether the API server answers, may be asked, and has the same time.
func (d *doctor) kubernetes(ctx context.Context) {
	const check = "kubernetes"
	cfg, err := d.kube.access()
	switch {
	case err != nil:
		d.add(check, findingBroken, lastnight.HintOf(err), "%v", err)
		return
	case cfg == nil && d.kube.mode == "off":
		d.add(check, findingSkipped, "", "--kube off")
		return
	case cfg == nil:
		d.add(check, findingWarning, "--kubeconfig FILE, $KUBECONFIG, or in a pod its service account", "no access: events, nodes and why containers ended stay unknown")
		return
	}
	cfg.Timeout = 15 * time.Second
	lacking, err := watch.Lacking(ctx, cfg, watch.Rights(d.kube.leaseNamespace(), leaseName))
	if err != nil {
		d.add(check, findingBroken, "is the address right, and does a NetworkPolicy let it through? --kube off does without", "%s does not answer: %v", cfg.Host, err)
		return
	}
	for _, r := range lacking {
		d.add(check, findingBroken, "apply the RBAC that is shipped (deploy/base/rbac.yaml), or add this right", "may not %s: it tells %s", r, r.For)
	}
	if len(lacking) == 0 {
		d.add(check, findingOK, "", "%s answers, and may be watched", cfg.Host)
	}
	d.kubeClock(ctx, cfg)
}

func (d *doctor) kubeClock(ctx context.Context, cfg *rest.Config) {
	client, err := rest.HTTPClientFor(cfg)
	if err == nil {
		d.clock(ctx, client, strings.TrimSuffix(cfg.Host, "/")+"/version")
	}
}

// clock compares this machine's clock with a server's. Its answer may be a refusal: the date is in it.
func (d *doctor) clock(ctx context.Context, client *http.Client, url string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	resp, err := client.Do(req)
	if err != nil {
		return
	}
	_ = resp.Body.Close()
	theirs, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return
	}
	skew := time.Since(theirs) - 500*time.Millisecond // the header has whole seconds
	if skew.Abs() > mostSkew {
		d.add("clock", findingBroken, "synchronize the clocks (chrony, systemd-timesyncd): order of lines and events comes from them", "differs by %v from %s", skew.Round(time.Second), req.URL.Host)
		return
	}
	d.add("clock", findingOK, "", "agrees with %s", req.URL.Host)
}
