package investigation

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"time"

	"lastnight"
)

const (
	upstreamBefore = 5 * time.Minute // how long before the failover the other pod may have ended
	maxAddresses   = 8
	maxUpstream    = 2000 // documents of another pod that are read
)

var (
	addressText = regexp.MustCompile(`\b(\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?\b`)
	hostText    = regexp.MustCompile(`\b([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)(?:\.[a-z0-9][-a-z0-9.]*)?:\d{2,5}\b`)
)

// connectionTrouble are the words of failures that may come from the other side.
var connectionTrouble = []string{
	"ConnectException", "EOFException", "SocketException", "SocketTimeoutException", "Connection refused", "Connection reset", "NoRouteToHost",
	"closed the connection", "Connection closed", "UnknownHostException", "ConnectTimeoutException", "connect timed out", "Broken pipe", "ClosedChannelException", "TimeoutException",
}

// linkUpstream looks behind the addresses that the failures name: a pod that is not part of
// the job and ended or did not run then explains a lost connection.
func (x *investigator) linkUpstream(ctx context.Context, tl *timeline, fo *failover) error {
	if !slices.ContainsFunc(fo.links.items, func(it *item) bool { return it.why == whyFailure && connectionFailure(it.text) }) {
		return nil
	}
	addresses, hosts := tl.addresses(fo)
	var pods []lastnight.Pod
	for _, a := range addresses {
		found, err := x.source.PodsByIP(ctx, a)
		if err != nil {
			return fmt.Errorf("find the pod of %s: %w", a, err)
		}
		pods = append(pods, found...)
	}
	for _, h := range hosts {
		found, err := x.source.Pods(ctx, tl.key.namespace, h)
		if err != nil {
			return fmt.Errorf("find the pods of %s: %w", h, err)
		}
		pods = append(pods, found...)
	}
	seen := map[string]bool{}
	for i := range pods {
		p := &pods[i]
		w := lastnight.WorkloadOf(p)
		gone := p.Created.After(fo.start) || !p.Deleted.IsZero() && p.Deleted.Before(fo.start.Add(-upstreamBefore)) // the address had another pod then
		if gone || w.Namespace == tl.key.namespace && w.Name == tl.key.workload || seen[p.UID+p.Name] || len(seen) >= maxAddresses {
			continue
		}
		seen[p.UID+p.Name] = true
		if err := x.upstreamPod(ctx, tl, fo, p); err != nil {
			return err
		}
	}
	return nil
}

func connectionFailure(text string) bool {
	if remoteManager.MatchString(text) {
		return false // another TaskManager of the job
	}
	return slices.ContainsFunc(connectionTrouble, func(w string) bool { return strings.Contains(text, w) })
}

// addresses collects what the failures of the incident so far name, stack frames left out.
func (tl *timeline) addresses(fo *failover) (ips, hosts []string) {
	facts := tl.between(fo.start.Add(-upstreamBefore), fo.until())
	for i := range facts {
		f := &facts[i]
		if f.doc.Event != nil || f.t.Before(fo.start.Add(-upstreamBefore)) || f.t.After(fo.until()) {
			continue
		}
		if f.kind != factTaskFailed && !(f.kind == factTransition && len(f.doc.Exception) > 0) && !(complains(f.doc) && connectionFailure(f.doc.Text)) {
			continue
		}
		for line := range strings.SplitSeq(message(f.doc), "\n") {
			if isFrame(line) || strings.Contains(line, " switched from ") {
				continue
			}
			for _, m := range addressText.FindAllStringSubmatch(line, 4) {
				if net.ParseIP(m[1]) != nil && !slices.Contains(ips, m[1]) && len(ips) < maxAddresses {
					ips = append(ips, m[1])
				}
			}
			for _, m := range hostText.FindAllStringSubmatch(line, 4) {
				if !slices.Contains(hosts, m[1]) && len(hosts) < maxAddresses {
					hosts = append(hosts, m[1])
				}
			}
		}
	}
	return ips, hosts
}

// upstreamPod takes how another pod ended, if it did around then.
func (x *investigator) upstreamPod(ctx context.Context, tl *timeline, fo *failover, p *lastnight.Pod) error {
	end := fo.until()
	if fo.givenUp != nil && fo.givenUp.t.Before(end) {
		end = fo.givenUp.t
	}
	docs, err := collect(x.source.Search(ctx, lastnight.SearchRequest{
		Important: true, Namespace: p.Namespace, Pod: p.Name, Kinds: []lastnight.DocumentKind{lastnight.DocumentEvent},
		Start: fo.start.Add(-upstreamBefore), End: end, Oldest: true, Limit: maxUpstream,
	}))
	if err != nil {
		return fmt.Errorf("read the events of %s: %w", p.Name, err)
	}
	info := &podInfo{name: p.Name, uid: p.UID, node: p.Node}
	down := false
	for i := range docs {
		f := tl.factOf(&docs[i])
		f.p = info
		switch {
		case f.kind == factContainerEnd:
			if err := x.lastWords(ctx, &timeline{key: workloadKey{p.Namespace, ""}}, fo, info, f, linkUpstream); err != nil {
				return err
			}
		case f.kind == factPodTrouble, f.kind == factPodDeleted, f.kind == factKilling, isDisruption(f.reason), f.reason == "CrashLoopBackOff":
		default:
			continue
		}
		down = true
		it := tl.itemOf(f, linkUpstream, whyUpstream)
		it.from = ""
		fo.links.add(it)
	}
	for _, it := range fo.links.items {
		if down && it.f.p == info {
			it.why, it.from = whyUpstream, ""
		}
	}
	return nil
}
