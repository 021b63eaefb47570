package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"lastnight"
)

// memory is incidents and a keeper.
type memory struct {
	mu     sync.Mutex
	is     []lastnight.Incident
	values map[string][]byte
	broken error // of Put
}

func (m *memory) Incidents(_ context.Context, req lastnight.IncidentsRequest) ([]lastnight.Incident, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []lastnight.Incident
	for _, i := range m.is {
		if !i.Start.Before(req.Start) {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(a, b lastnight.Incident) int { return b.Start.Compare(a.Start) })
	return all, nil
}

func (m *memory) Incident(_ context.Context, id string) (*lastnight.Incident, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, i := range m.is {
		if i.ID == id {
			return &i, nil
		}
	}
	return nil, lastnight.Errorf(lastnight.CodeNotFound, "", "no %s", id)
}

func (m *memory) set(is ...lastnight.Incident) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.is = is
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.values[key]; ok {
		return v, nil
	}
	return nil, lastnight.Errorf(lastnight.CodeNotFound, "", "no %s", key)
}

func (m *memory) Put(_ context.Context, key string, value []byte, ifVersion int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.values[key]; ok && ifVersion == 0 {
		return lastnight.Errorf(lastnight.CodeConflict, "", "there is %s", key)
	}
	if m.broken != nil {
		return m.broken
	}
	if m.values == nil {
		m.values = map[string][]byte{}
	}
	m.values[key] = value
	return nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, key)
	return nil
}

func (m *memory) Keys(_ context.Context, prefix string) iter.Seq2[string, error] {
	m.mu.Lock()
	keys := slices.Sorted(maps.Keys(m.values))
	m.mu.Unlock()
	return func(yield func(string, error) bool) {
		for _, k := range keys {
			if strings.HasPrefix(k, prefix) && !yield(k, nil) {
				return
			}
		}
	}
}

// wire is a target: it keeps what it took.
type wire struct {
	mu     sync.Mutex
	got    []string // event incident
	reqs   []*http.Request
	bodies []string
	times  []time.Time
	answer func(n int) (status int, header http.Header, err error) // nil: 200
	tries  int
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.tries++
	status, header := 200, http.Header{}
	if w.answer != nil {
		if status, header, err = w.answer(w.tries); err != nil {
			return nil, err
		}
	}
	if status/100 == 2 {
		var m Message
		_ = json.Unmarshal(b, &m)
		w.got = append(w.got, m.Event+" "+m.IncidentID)
		w.reqs, w.bodies, w.times = append(w.reqs, r), append(w.bodies, string(b)), append(w.times, time.Now())
	}
	return &http.Response{StatusCode: status, Header: header, Body: http.NoBody, Request: r}, nil
}

const secret = "0123456789abcdef0123456789abcdef"

func config(t testing.TB, text string) *Config {
	t.Helper()
	c, err := ParseConfig([]byte(text), func(string) ([]byte, error) { return []byte(secret + "\n"), nil })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const oneHook = `
targets:
  - {name: hook, type: webhook, url: "https://hook.example/in", secret_file: x}
`

func incident(id string, ago time.Duration, explained bool) lastnight.Incident {
	i := lastnight.Incident{ID: id, Namespace: "flink", Job: "orders", Start: time.Now().Add(-ago).UTC(), End: time.Now().UTC(), Failovers: 2}
	if explained {
		i.Diagnosis = lastnight.Diagnosis{Explained: true, Cause: "tm-oomkilled", Title: "A task manager was killed", Verdict: "v <!channel>", Advice: "raise it", ActionNeeded: true}
	}
	return i
}

// during runs a notifier for some time.
func during(t testing.TB, c *Config, m *memory, w *wire, d time.Duration) {
	t.Helper()
	n, err := New(c, Options{Incidents: m, Keeper: m, PublicURL: "https://ln.example/", Client: &http.Client{Transport: w, Timeout: time.Second}, Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := n.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestOpenedThenExplained(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, w, c := &memory{}, &wire{}, config(t, oneHook)
		go func() {
			time.Sleep(10 * time.Second)
			m.set(incident("a", time.Minute, false))
			time.Sleep(20 * time.Second)
			m.set(incident("a", time.Minute, true))
		}()
		during(t, c, m, w, time.Minute)
		if d := cmp.Diff([]string{"opened a", "explained a"}, w.got); d != "" {
			t.Fatal(d)
		}
		r := w.reqs[1]
		stamp := r.Header.Get("X-Lastnight-Timestamp")
		if sec, err := strconv.ParseInt(stamp, 10, 64); err != nil || time.Since(time.Unix(sec, 0)).Abs() > time.Hour {
			t.Errorf("timestamp %q", stamp)
		}
		if got := r.Header.Get("X-Lastnight-Signature"); got != Sign([]byte(secret), stamp, []byte(w.bodies[1])) || len(got) != 67 {
			t.Errorf("signature %q", got)
		}
		var msg Message
		if err := json.Unmarshal([]byte(w.bodies[1]), &msg); err != nil || msg.Cause != "tm-oomkilled" || msg.Advice != "raise it" || !msg.ActionNeeded ||
			msg.Link != "https://ln.example/incidents/a" || msg.Job != "orders" || msg.Delivery != r.Header.Get("X-Lastnight-Delivery") {
			t.Errorf("%v %+v", err, msg)
		}
		if w.reqs[0].Header.Get("X-Lastnight-Delivery") == msg.Delivery {
			t.Error("two messages have the same delivery id")
		}
	})
}

// TestRestarts stops the notifier again and again, while the target is away, and finds each message exactly once.
func TestRestarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, c := &memory{}, config(t, oneHook)
		w := &wire{answer: func(n int) (int, http.Header, error) {
			if n%3 != 0 {
				return 503, nil, nil
			}
			return 204, nil, nil
		}}
		var want []string
		for k := range 20 {
			m.mu.Lock()
			m.is = append(m.is, incident(fmt.Sprintf("i%02d", k), time.Duration(k)*time.Second, true))
			m.mu.Unlock()
			want = append(want, fmt.Sprintf("opened i%02d", k), fmt.Sprintf("explained i%02d", k))
			during(t, c, m, w, time.Duration(1+k*7%13)*time.Second)
		}
		during(t, c, m, w, time.Hour)
		slices.Sort(w.got)
		slices.Sort(want)
		if d := cmp.Diff(want, w.got); d != "" {
			t.Error(d)
		}
		during(t, c, m, w, 10*time.Minute)
		if len(w.got) != len(want) {
			t.Errorf("%d messages after another start, want %d", len(w.got), len(want))
		}
	})
}

func TestRetriesAndPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, c := &memory{}, config(t, "targets: [{name: slow, type: webhook, url: 'http://h/', events: [opened], rate: 6}]")
		begin := time.Now()
		w := &wire{answer: func(n int) (int, http.Header, error) {
			switch n {
			case 1:
				return 0, nil, errors.New("connection refused")
			case 2:
				return 429, http.Header{"Retry-After": {"120"}}, nil
			}
			return 200, nil, nil
		}}
		m.set(incident("a", 3*time.Second, false), incident("b", 2*time.Second, false), incident("c", time.Second, false), incident("old", 13*time.Hour, false))
		during(t, c, m, w, time.Hour)
		slices.Sort(w.got)
		if d := cmp.Diff([]string{"opened a", "opened b", "opened c"}, w.got); d != "" {
			t.Fatal(d)
		}
		for k := 1; k < len(w.times); k++ {
			if d := w.times[k].Sub(w.times[k-1]); d < 10*time.Second {
				t.Errorf("messages %s apart at 6 a minute", d)
			}
		}
		if last := w.times[len(w.times)-1].Sub(begin); last < 2*time.Minute {
			t.Errorf("Retry-After was not obeyed: done after %s", last)
		}
	})
}

func TestGivesUpAndForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, w, c := &memory{}, &wire{answer: func(int) (int, http.Header, error) { return 500, nil, nil }}, config(t, "max_age: 1h\ngive_up_after: 2h\n"+strings.TrimPrefix(oneHook, "\n"))
		m.set(incident("a", time.Minute, false))
		during(t, c, m, w, 3*time.Hour)
		tries := w.tries
		if tries < 20 || tries > 100 {
			t.Errorf("%d tries in two hours", tries)
		}
		during(t, c, m, w, time.Hour)
		if w.tries != tries {
			t.Error("tried on after giving up")
		}
		during(t, c, m, w, 3*time.Hour)
		if len(m.values) != 0 {
			t.Errorf("kept for ever: %q", m.values)
		}
	})
}

// TestWhoIsTold is about namespaces, planned incidents, incidents that went away, and a keeper that refuses.
func TestWhoIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := config(t, `
targets:
  - {name: all, type: webhook, url: "http://a/", planned: true, events: [opened]}
  - {name: web, type: webhook, url: "http://b/", namespaces: [web], events: [opened]}
`)
		m, w := &memory{}, &wire{}
		planned, web := incident("planned", time.Minute, false), incident("web", time.Minute, false)
		planned.Planned, web.Namespace = true, "web"
		m.set(planned, web)
		m.broken = errors.New("disk full")
		during(t, c, m, w, time.Minute)
		if len(w.got) != 0 {
			t.Errorf("sent before it was kept: %q", w.got)
		}
		m.broken = nil
		during(t, c, m, w, time.Minute)
		slices.Sort(w.got)
		if d := cmp.Diff([]string{"opened planned", "opened web", "opened web"}, w.got); d != "" {
			t.Error(d)
		}
	})
}

func TestSlackText(t *testing.T) {
	t.Parallel()
	i := incident("a/b", 0, true)
	i.Start = time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	c := config(t, `
targets:
  - {name: plain, type: slack, url: "https://hooks.slack.example/x"}
  - {name: own, type: slack, url: "https://hooks.slack.example/x", template: '{{.Job}}: {{.Verdict}} {{upper .Cause}}'}
  - {name: broken, type: slack, url: "https://hooks.slack.example/x", template: '{{if .Job}}{{index .Job 99}}{{end}}'}
`)
	for k, want := range []string{
		"*orders* (flink) failed over: A task manager was killed\nv &lt;!channel&gt;\n*Advice:* raise it\n2026-11-21 03:00:00 UTC, 2 failover(s), not recovered yet, *action needed*\n<https://u/incidents/a%2Fb|open in lastnight>",
		"orders: v &lt;!channel&gt; TM-OOMKILLED",
		"",
	} {
		b, kind, err := c.targets[k].body(newMessage(EventExplained, "d", "https://u", &i))
		var got struct{ Text string }
		if (err != nil) != (want == "") || json.Unmarshal(b, &got) != nil || kind != "application/json" {
			t.Fatalf("%s %v %s", kind, err, b)
		}
		if want == "" { // without the template, then
			_, want, _ = strings.Cut("\n*orders*", "\n")
			got.Text, _, _ = strings.Cut(got.Text, " ")
		}
		if d := cmp.Diff(want, got.Text); d != "" {
			t.Error(d)
		}
	}
}

// TestRedirectsAndSecrets holds that no answer leads elsewhere and no secret address is told.
func TestRedirectsAndSecrets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		m := &memory{is: []lastnight.Incident{incident("a", time.Minute, false)}}
		w := &wire{answer: func(n int) (int, http.Header, error) {
			if n%2 == 0 {
				return 0, nil, errors.New("away")
			}
			return 302, http.Header{"Location": {"http://169.254.169.254/latest"}}, nil
		}}
		n, err := New(config(t, "targets: [{name: hook, type: webhook, url: 'https://hook.example/SECRETPATH?k=SECRETKEY'}]"),
			Options{Incidents: m, Keeper: m, Client: &http.Client{Transport: w}, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Hour)
		defer cancel()
		if err := n.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if len(w.got) != 0 || !strings.Contains(log.String(), "given up") || strings.Contains(log.String(), "SECRET") {
			t.Errorf("%q\n%s", w.got, log.String())
		}
	})
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"targets: [{name: a, type: webhook, url: 'file:///etc/passwd'}]":                                "no http",
		"targets: [{name: a, type: webhook, url: 'https://u:pw@h/'}]":                                   "no http",
		"targets: [{name: a, type: webhook}]":                                                           "needs an address",
		"targets: [{name: a, type: webhook, url: 'https://h', url_file: x}]":                            "needs an address",
		"targets: [{name: A, type: webhook, url: 'https://h'}]":                                         "small letters",
		"targets: [{name: a, type: mail, url: 'https://h'}]":                                            "no known type",
		"targets: [{name: a, type: slack, url: 'https://h', events: [closed]}]":                         "unknown event",
		"targets: [{name: a, type: slack, url: 'https://h', rate: -1}]":                                 "rate",
		"targets: [{name: a, type: slack, url: 'https://h', template: '{{'}]":                           "does not parse",
		"targets: [{name: a, type: slack, url: 'https://h', template: '{{.Nope}}'}]":                    "fails",
		"targets: [{name: a, type: slack, url: 'https://h'}, {name: a, type: slack, url: 'https://h'}]": "is taken",
		"max_age: soon": "max_age",
		"targets:\n  - name: a\n    sercet: TOPSECRET": "line 3",
	} {
		_, err := ParseConfig([]byte(text), nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "TOPSECRET") || lastnight.CodeOf(err) != lastnight.CodeInvalid {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(oneHook))
	f.Add([]byte("targets: [{name: a, type: slack, url: 'https://h', template: '{{.Job}}'}]"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseConfig(b, func(string) ([]byte, error) { return []byte(secret), nil })
		if err != nil {
			return
		}
		for i := range c.targets {
			if u := c.targets[i].url; !strings.HasPrefix(strings.ToLower(u), "http") {
				t.Errorf("target at %q", u)
			}
		}
	})
}

// TestOneOfSeveralSends: who is not the one any more sends nothing, though it has messages in hand; who takes over sends each
// once, with what the other had kept; and back again.
func TestOneOfSeveralSends(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, w := &memory{}, &wire{}
		var holder atomic.Int32
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for i := range int32(2) {
			n, err := New(config(t, oneHook), Options{Incidents: m, Keeper: m, Client: &http.Client{Transport: w}, Mine: func(context.Context) error {
				if holder.Load() != i {
					return errors.New("another one sends")
				}
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() { // as a lease has it, but it runs for a while longer than it should
				for ctx.Err() == nil {
					turn, end := context.WithTimeout(ctx, 40*time.Second)
					if err := n.Run(turn); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
					end()
				}
			})
		}
		for k := range 6 {
			holder.Store(int32(k % 2))
			m.set(incident(fmt.Sprint("i", k), time.Second, false))
			time.Sleep(time.Minute)
		}
		cancel()
		wg.Wait()
		seen := map[string]int{}
		for _, g := range w.got {
			seen[g]++
		}
		if len(w.got) != 6 || len(seen) != 6 {
			t.Errorf("sent %q, want each of six once", w.got)
		}
	})
}
