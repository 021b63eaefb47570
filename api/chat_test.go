package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lastnight"
	"lastnight/api/apitest"
)

func slash(t testing.TB, h http.Handler, text string, at time.Time, change func(*http.Request)) (int, string) {
	t.Helper()
	body := url.Values{"text": {text}, "user_name": {"ann"}, "response_url": {"http://169.254.169.254/"}}.Encode()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/chat/slack", strings.NewReader(body))
	sign(r, body, at)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var answer struct {
		Text string `json:"text"`
		Type string `json:"response_type"`
	}
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	if w.Code == http.StatusOK && answer.Type != "ephemeral" {
		t.Errorf("%s", w.Body)
	}
	return w.Code, answer.Text
}

func TestChat(t *testing.T) {
	t.Parallel()
	m := apitest.Sample()
	m.IncidentList[0].Diagnosis.Verdict = "killed <!channel> & gone"
	now := apitest.Night.Add(10 * time.Minute)
	h := newTestRouter(t, Config{
		Searcher: m, Investigator: m, Now: func() time.Time { return now },
		Chat: ChatConfig{SigningSecret: []byte(chatSecret), Namespaces: []string{"flink"}, PublicURL: "https://ln.example/"},
	})
	for text, want := range map[string]string{
		"why orders-enrich":              "*A task manager was killed for want of memory* <https://ln.example/incidents/in-1|open>",
		"orders-enrich 2026-11-21":       "Advice: raise taskmanager.memory.process.size",
		"WHY  orders-enrich  last night": "killed &lt;!channel&gt; &amp; gone",
		"why orders-enrich 2026-11-20":   "had no incident",
		"why nosuchjob":                  "Try: did you mean",
		"why orders-enrich sometime":     "Try:",
		"":                               "`why JOB [WHEN]`",
		"help":                           "`why JOB [WHEN]`",
	} {
		if status, got := slash(t, h, text, now, nil); status != http.StatusOK || !strings.Contains(got, want) || strings.Contains(got, "<!") {
			t.Errorf("%q: %d %q, want %q", text, status, got, want)
		}
	}
	for name, c := range map[string]struct {
		at     time.Time
		change func(*http.Request)
	}{
		"old":            {now.Add(-6 * time.Minute), nil},
		"of the future":  {now.Add(6 * time.Minute), nil},
		"no signature":   {now, func(r *http.Request) { r.Header.Del("X-Slack-Signature") }},
		"no timestamp":   {now, func(r *http.Request) { r.Header.Del("X-Slack-Request-Timestamp") }},
		"half":           {now, func(r *http.Request) { r.Header.Set("X-Slack-Signature", r.Header.Get("X-Slack-Signature")[:20]) }},
		"another's body": {now, func(r *http.Request) { r.Body = http.NoBody }},
		"later stamp":    {now, func(r *http.Request) { r.Header.Set("X-Slack-Request-Timestamp", "1795230601") }},
	} {
		if status, got := slash(t, h, "why orders-enrich", c.at, c.change); status != http.StatusUnauthorized || got != "" {
			t.Errorf("%s: %d %q", name, status, got)
		}
	}
	// Elsewhere the same job is not there.
	h = newTestRouter(t, Config{Searcher: m, Investigator: m, Now: func() time.Time { return now }, Chat: ChatConfig{SigningSecret: []byte(chatSecret), Namespaces: []string{"web"}}})
	if status, got := slash(t, h, "why orders-enrich", now, nil); status != http.StatusOK || strings.Contains(got, "killed") {
		t.Errorf("another namespace: %d %q", status, got)
	}
	// Without a secret nothing is signed, not even by the empty one.
	h = newTestRouter(t, Config{Searcher: m, Investigator: m, Now: func() time.Time { return now }})
	if status, _ := slash(t, h, "why orders-enrich", now, nil); status != http.StatusUnauthorized {
		t.Errorf("no chat: %d", status)
	}
}

func FuzzChatForm(f *testing.F) {
	m := apitest.Sample()
	now := apitest.Night.Add(time.Minute)
	h := newTestRouter(f, Config{Searcher: m, Investigator: m, Now: func() time.Time { return now }, Chat: ChatConfig{SigningSecret: []byte(chatSecret), Namespaces: []string{"*"}}})
	f.Add("text=why+orders-enrich+2026-11-21&user_name=ann", "v0=", "1795230000")
	f.Add("text=%zz&text=;&user_name=\x00", "v0=00", "-1")
	f.Fuzz(func(t *testing.T, body, signature, stamp string) {
		for _, signed := range []bool{true, false} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/chat/slack", strings.NewReader(body))
			if signed {
				sign(r, body, now)
			} else {
				r.Header["X-Slack-Signature"], r.Header["X-Slack-Request-Timestamp"] = []string{signature}, []string{stamp}
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if !signed && w.Code != http.StatusUnauthorized && w.Code != http.StatusRequestEntityTooLarge || w.Code >= 500 {
				t.Errorf("signed %v: %d %s", signed, w.Code, w.Body)
			}
			if strings.Contains(w.Body.String(), "<!") {
				t.Errorf("a mention: %s", w.Body)
			}
		}
	})
}

// TestDenialsAreToldTogether holds that a flood of refusals makes few entries.
func TestDenialsAreToldTogether(t *testing.T) {
	t.Parallel()
	var log heard
	h := guarded(t, Config{Auditor: &log})
	for range 1000 {
		visit{target: "/api/v1/audit"}.ask(t, h, http.MethodGet, "viewer")
	}
	visit{target: "/api/v1/jobs?namespace=web"}.ask(t, h, http.MethodGet, "viewer")
	visit{target: "/api/v1/jobs"}.ask(t, h, http.MethodGet, "")
	visit{target: "/api/v1/logs/raw?job=orders-enrich"}.ask(t, h, http.MethodGet, "viewer")
	visit{target: "/api/v1/labels/disk-full/review", body: `{"action":"review","why":"old"}`, ifMatch: `"3"`}.ask(t, h, http.MethodPost, "reviewer")
	want := []string{"denied GET /api/v1/audit viewer", "denied GET /api/v1/jobs viewer", "export.logs /api/v1/logs/raw viewer", "label.review disk-full reviewer"}
	got := []string{}
	for _, e := range log {
		got = append(got, e.Action+" "+e.Target+" "+e.Actor)
		if e.Remote != "192.0.2.1" || e.Role == "" {
			t.Errorf("%+v", e)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
	d, err := newDenials(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	k := deniedKey{code: lastnight.CodeForbidden}
	for range 5 {
		d.due(k, now)
	}
	if more, due := d.due(k, now.Add(2*deniedEvery)); !due || more != 4 {
		t.Errorf("%d %v", more, due)
	}
}

// heard is an Auditor that keeps what it hears.
type heard []lastnight.AuditEntry

func (h *heard) Audit(ctx context.Context, e lastnight.AuditEntry) {
	if a, ok := lastnight.ActorOf(ctx); ok && e.Actor == "" {
		e.Actor, e.Role = a.Name, a.Role
	}
	*h = append(*h, e)
}
