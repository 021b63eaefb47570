package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"lastnight"
)

const (
	firstRetry    = time.Second
	longestRetry  = 5 * time.Minute
	maxRetryAfter = time.Hour
	maxReply      = 64 << 10 // of a target's answer, which nobody reads
)

// serve sends the messages of one target, one at a time, until ctx is over.
func (n *Notifier) serve(ctx context.Context, t *target) {
	pace := time.Minute / time.Duration(t.rate)
	var last time.Time
	for ctx.Err() == nil {
		i, ok, wait := n.queue.next(t.name, time.Now())
		if ok {
			if d := pace - time.Since(last); !last.IsZero() && d > 0 {
				if !sleep(ctx, d) {
					return
				}
			}
			last = time.Now()
			n.send(ctx, t, i)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-n.wake[t.name]:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// send tries one message once and keeps what became of it.
func (n *Notifier) send(ctx context.Context, t *target, i item) {
	if n.opt.Mine != nil {
		ours, err := n.queue.still(ctx, i)
		if err != nil || !ours || n.opt.Mine(ctx) != nil {
			sleep(ctx, time.Second) // another process sends it, or has sent it
			return
		}
	}
	outcome, after, err := n.try(ctx, t, &i)
	if ctx.Err() != nil && outcome != stateSent {
		return // The server stops: it is tried again after the start.
	}
	now := time.Now().UTC()
	i.Attempts++
	switch {
	case outcome != statePending:
		i.State = outcome
	case now.Sub(i.Created) > n.cfg.giveUp:
		i.State, outcome = stateFailed, stateFailed
		n.opt.Log.Error("a message about an incident was given up", "target", t.name, "incident_id", i.Incident, "event", i.Event, "attempts", i.Attempts, "err", err)
	default:
		i.Next = now.Add(max(after, backoff(i.Attempts)))
		outcome = "retried"
		if i.Attempts == 1 || i.Attempts%20 == 0 {
			n.opt.Log.Warn("a message about an incident was not taken", "target", t.name, "incident_id", i.Incident, "event", i.Event, "attempts", i.Attempts, "err", err)
		}
	}
	n.total.WithLabelValues(t.name, i.Event, outcome).Inc()
	// What the target took is marked even while the server stops, so that it is not told twice.
	keepCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	if err := n.queue.set(keepCtx, i); err != nil {
		n.opt.Log.Error("what became of a message cannot be kept; it may be sent again after a restart", "target", t.name, "incident_id", i.Incident, "err", err)
	}
}

// backoff grows twofold, with jitter, so that targets which were away are not hit all at once.
func backoff(attempts int) time.Duration {
	d := firstRetry << min(attempts-1, 20)
	d = min(d, longestRetry)
	return d/2 + rand.N(d/2+1) //nolint:gosec // spreads load, guards nothing
}

// try gives the state that the message is in then, and how long the target wants to be left alone.
func (n *Notifier) try(ctx context.Context, t *target, i *item) (state string, after time.Duration, err error) {
	in, err := n.opt.Incidents.Incident(ctx, i.Incident)
	if lastnight.CodeOf(err) == lastnight.CodeNotFound {
		return stateGone, 0, nil
	}
	if err != nil {
		return statePending, 0, fmt.Errorf("read incident: %w", err)
	}
	sum := sha256.Sum256([]byte(i.key()))
	m := newMessage(i.Event, hex.EncodeToString(sum[:8]), n.opt.PublicURL, in)
	body, contentType, err := t.body(m)
	if err != nil {
		n.total.WithLabelValues(t.name, i.Event, "template").Inc()
		n.opt.Log.Warn("a template failed; the message goes without it", "target", t.name, "err", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return statePending, 0, errors.New("make the request") // err repeats the address
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "lastnight")
	req.Header.Set("X-Lastnight-Event", "incident."+i.Event)
	req.Header.Set("X-Lastnight-Delivery", m.Delivery)
	if len(t.secret) > 0 {
		stamp := strconv.FormatInt(time.Now().Unix(), 10)
		req.Header.Set("X-Lastnight-Timestamp", stamp)
		req.Header.Set("X-Lastnight-Signature", Sign(t.secret, stamp, body))
	}
	resp, err := n.opt.Client.Do(req)
	if err != nil {
		return statePending, 0, withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxReply)) // so that the connection can be used again
	if resp.StatusCode/100 == 2 {
		return stateSent, 0, nil
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		after = min(time.Duration(min(s, 1<<20))*time.Second, maxRetryAfter)
	}
	return statePending, after, fmt.Errorf("the target answers with status %d", resp.StatusCode)
}

// Sign gives the signature of a body that is sent at stamp (seconds since 1970), for receivers to compare in constant time.
func Sign(secret []byte, stamp string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write([]byte(stamp + ".")) // a hash never fails
	_, _ = mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// withoutURL takes the address out of an error: it may be a secret.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return fmt.Errorf("send: %w", err)
}
