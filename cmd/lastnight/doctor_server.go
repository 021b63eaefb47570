package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"lastnight"
)

// server looks whether the server that was named answers, each address of it, and takes our token.
func (d *doctor) server(ctx context.Context) {
	const check = "server"
	urls := d.o.server
	if urls == "" {
		urls = serverFromEnv()
	}
	if urls == "" {
		d.add(check, findingSkipped, "", "none is named (--server, LASTNIGHT_SERVER)")
		return
	}
	client, err := d.client()
	if err != nil {
		d.add(check, findingBroken, "--ca-file names a file with PEM certificates", "--ca-file: %v", err)
		return
	}
	for url := range strings.SplitSeq(urls, ",") {
		d.oneServer(ctx, client, strings.TrimSuffix(strings.TrimSpace(url), "/"))
	}
}

// client gives an HTTP client that trusts what collect trusts.
func (d *doctor) client() (*http.Client, error) {
	client := &http.Client{Timeout: 10 * time.Second}
	if d.caFile == "" {
		return client, nil
	}
	pem, err := os.ReadFile(d.caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", d.caFile)
	}
	client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	return client, nil
}

func (d *doctor) oneServer(ctx context.Context, client *http.Client, url string) {
	const check = "server"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		d.add(check, findingBroken, "--server http://HOST:7077", "%v", err)
		return
	}
	resp, err := client.Do(req)
	if err != nil {
		mend := "is the address right, does it run, and does a NetworkPolicy let it through?"
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			mend = "--ca-file names the authority that signed the server's certificate"
		}
		d.add(check, findingBroken, mend, "%v", err)
		return
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		d.add(check, findingBroken, "its log and "+url+"/readyz say why", "%s is not ready: %s", url, resp.Status)
		return
	}
	d.add(check, findingOK, "", "%s is ready", url)
	d.clock(ctx, client, url)
	d.leases(ctx, client, url)
	if d.tokenFile != "" {
		d.token(ctx, client, url)
	}
}

// leases looks whether somebody of several servers does what only one may do. A server that tells nothing of leases,
// or shares nothing, has none.
func (d *doctor) leases(ctx context.Context, client *http.Client, url string) {
	const check = "leases"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/leases", nil)
	if err != nil {
		return // the address was good for /readyz
	}
	if t := strings.TrimSpace(os.Getenv("LASTNIGHT_TOKEN")); t != "" {
		req.Header.Set("Authorization", "Bearer "+t)
	}
	resp, err := client.Do(req)
	if err != nil {
		d.add(check, findingBroken, "", "%v", err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound: // an older server
		return
	case http.StatusUnauthorized, http.StatusForbidden:
		d.add(check, findingSkipped, "", "%s tells who may ask: LASTNIGHT_TOKEN", url)
		return
	default:
		d.add(check, findingBroken, "what the servers share must be up: see the log of "+url, "%s cannot tell who holds them: %s", url, resp.Status)
		return
	}
	var said struct {
		Items []lastnight.Lease `json:"items"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&said); err != nil {
		d.add(check, findingBroken, "does another program answer there?", "%s tells leases that cannot be read: %v", url, err)
		return
	}
	for i := range said.Items {
		l := &said.Items[i]
		if l.Holder == "" {
			d.add(check, findingWarning, "somebody takes it within seconds; if not, see the servers' logs", "nobody does %s", oneLine(l.Duty))
			continue
		}
		d.add(check, findingOK, "", "%s does %s", oneLine(l.Holder), oneLine(l.Duty))
	}
}

// token sends nothing at all, with the token of collect: the server says whether it would take more.
func (d *doctor) token(ctx context.Context, client *http.Client, url string) {
	const check = "token"
	secret, err := os.ReadFile(d.tokenFile)
	if err != nil {
		d.add(check, findingBroken, "--token-file names the file that --ingest-token-file of the server has too", "--token-file: %v", err)
		return
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+ingestPath, strings.NewReader("{}"))
	if err != nil {
		return // the address was good for /readyz
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(secret)))
	resp, err := client.Do(req)
	if err != nil {
		d.add(check, findingBroken, "", "%v", err)
		return
	}
	_ = resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		d.add(check, findingOK, "", "%s takes what has it", url)
	case http.StatusUnauthorized, http.StatusForbidden:
		d.add(check, findingBroken, "collectors and server need the same token: collect --token-file, serve --ingest-token-file", "%s does not know it: %s", url, resp.Status)
	default:
		d.add(check, findingWarning, "the server's log says why", "%s answers %s", url, resp.Status)
	}
}
