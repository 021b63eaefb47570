package api_test

import (
	"net/http"
	"strings"
	"testing"

	"lastnight"
	"lastnight/api"
)

func TestHostAndOrigin(t *testing.T) {
	t.Parallel()
	srv := serve(t, api.Config{AllowedHosts: []string{"logs.example.org", "other.example.org:8443"}})
	own := strings.TrimPrefix(srv.URL, "http://")
	for _, c := range []struct {
		name, target string
		header       []string
		status       int
	}{
		{"own address", "/api/v1/jobs", nil, 200},
		{"localhost, any port", "/api/v1/jobs", []string{"Host", "localhost:1234"}, 200},
		{"localhost in other letters", "/api/v1/jobs", []string{"Host", "LOCALHOST"}, 200},
		{"IPv6 loopback", "/api/v1/jobs", []string{"Host", "[::1]:7077"}, 200},
		{"IPv6 loopback, no port", "/api/v1/jobs", []string{"Host", "[::1]"}, 200},
		{"configured, any port", "/api/v1/jobs", []string{"Host", "logs.example.org:99"}, 200},
		{"configured with port", "/api/v1/jobs", []string{"Host", "Other.example.org:8443"}, 200},
		{"configured, another port", "/api/v1/jobs", []string{"Host", "other.example.org:8444"}, 403},
		{"rebound name", "/api/v1/jobs", []string{"Host", "evil.example"}, 403},
		{"rebound name, our port", "/api/v1/search", []string{"Host", "evil.example:7077"}, 403},
		{"looks like ours", "/api/v1/jobs", []string{"Host", "localhost.evil.example"}, 403},
		{"looks like ours", "/api/v1/jobs", []string{"Host", "127.0.0.1.evil.example"}, 403},
		{"another address", "/api/v1/jobs", []string{"Host", "192.0.2.7"}, 403},
		{"raw logs too", "/api/v1/logs/raw?job=a", []string{"Host", "evil.example"}, 403},
		{"metrics too", "/metrics", []string{"Host", "evil.example"}, 403},
		{"the UI too", "/", []string{"Host", "evil.example"}, 403},
		{"probes by the pod's address", "/healthz", []string{"Host", "10.1.2.3:7077"}, 200},
		{"probes by the pod's address", "/readyz", []string{"Host", "10.1.2.3:7077"}, 200},
		{"own page", "/api/v1/jobs", []string{"Origin", "http://" + own}, 200},
		{"own page over TLS before us", "/api/v1/jobs", []string{"Host", "logs.example.org", "Origin", "https://logs.example.org"}, 200},
		{"page from elsewhere", "/api/v1/jobs", []string{"Origin", "https://evil.example"}, 403},
		{"another port is elsewhere", "/api/v1/jobs", []string{"Origin", "http://127.0.0.1:1"}, 403},
		{"another name is elsewhere", "/api/v1/jobs", []string{"Host", "localhost:7077", "Origin", "http://127.0.0.1:7077"}, 403},
		{"sandboxed page", "/api/v1/jobs", []string{"Origin", "null"}, 403},
		{"file", "/api/v1/jobs", []string{"Origin", "file://"}, 403},
		{"odd origin", "/api/v1/jobs", []string{"Origin", "http://%zz"}, 403},
		{"image or script elsewhere", "/api/v1/jobs", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"another port, same site", "/api/v1/jobs", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, 403},
		{"own page's fetch", "/api/v1/jobs", []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors"}, 200},
		{"typed in", "/api/v1/jobs", []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, 200},
		{"link in a chat", "/api/v1/jobs", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200},
	} {
		resp, body := do(t, srv, http.MethodGet, c.target, c.header...)
		if resp.StatusCode != c.status && (c.target != "/" || resp.StatusCode != http.StatusNotFound) {
			t.Errorf("%s: %s %v: status %d, want %d: %s", c.name, c.target, c.header, resp.StatusCode, c.status, body)
		}
		if c.status == 403 {
			if p := problem(t, body); p.Status != 403 || p.Code != lastnight.CodeInvalid || p.Hint == "" {
				t.Errorf("%s: %+v", c.name, p)
			}
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
			"X-Frame-Options": "DENY", "Access-Control-Allow-Origin": "",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", c.name, name, got, want)
			}
		}
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: Content-Security-Policy is %q", c.name, csp)
		}
	}
}
