package api

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"lastnight"
)

// The policy for the API's own answers; the UI's pages bring theirs.
const contentSecurityPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard keeps web pages from elsewhere away from the logs. Such a page can send
// requests to a server on loopback from the browser of somebody who may reach it.
//
// Host: a page whose name is made to point to 127.0.0.1 (DNS rebinding) names itself
// there, so only known names are answered. Origin and Sec-Fetch-Site: where the
// request comes from, as browsers say it; other programs send neither.
type guard struct {
	env     *env
	allowed []string
}

// check refuses with 403 what a page from elsewhere could have sent, and sets the
// headers that keep browsers from misreading answers.
func (g guard) check(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		// Probes of a kubelet name the pod's address, and these two tell nothing.
		probe := r.URL.Path == "/healthz" || r.URL.Path == "/readyz"
		if !probe && !g.known(r) {
			err := lastnight.Errorf(lastnight.CodeInvalid, "ask it as localhost, or add the host to those that it allows",
				"this server is not known as %q", clip(r.Host))
			g.env.fail(w, r, refusal{err, http.StatusForbidden})
			return
		}
		if foreign(r) {
			err := lastnight.Errorf(lastnight.CodeInvalid, "open the UI of this server itself", "web pages from elsewhere may not ask this server")
			g.env.fail(w, r, refusal{err, http.StatusForbidden})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// known tells whether the server is known by the host that the request names.
func (g guard) known(r *http.Request) bool {
	name := hostname(r.Host)
	switch name {
	case "":
		return false
	case "localhost", "127.0.0.1", "::1":
		return true
	}
	// The very address that the connection came in on, as Prometheus uses it: a name
	// that was made to point here can't be one.
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok && a.IP.Equal(net.ParseIP(name)) {
		return true
	}
	for _, a := range g.allowed {
		if strings.EqualFold(a, r.Host) || strings.EqualFold(a, name) {
			return true
		}
	}
	return false
}

// hostname gives the host in lower case without port, brackets and final dot.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// foreign tells whether a page of another server sent the request. Following a link
// to here (from a chat, say) is no question of that page: it does not see the answer.
func foreign(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || !strings.EqualFold(u.Host, r.Host) {
			return true
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return r.Header.Get("Sec-Fetch-Mode") != "navigate" || (r.Method != http.MethodGet && r.Method != http.MethodHead)
	}
	return false
}
