package auth

import (
	"net/http"
	"net/netip"
	"strings"

	"lastnight"
)

// Header takes the name of who asks from a header that a proxy sets after it signed them in.
// Whoever can reach the server could set it too, so it counts only from the proxies' addresses;
// from elsewhere a request that has it is refused. The proxy must remove what clients send under that name.
type Header struct {
	user    string
	groups  string // "": none
	proxies []netip.Prefix
	grants  *Grants
}

// NewHeader makes one. groups may be "". Proxies are networks or addresses, such as 10.0.0.0/8; at least one.
func NewHeader(user, groups string, proxies []string, grants *Grants) (*Header, error) {
	h := &Header{user: http.CanonicalHeaderKey(user), groups: http.CanonicalHeaderKey(groups), grants: grants}
	for _, p := range proxies {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(p); err == nil {
				prefix = netip.PrefixFrom(a, a.BitLen())
			}
		}
		if err != nil {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "--trusted-proxies 10.1.2.3,10.2.0.0/16", "%q is neither an address nor a network", p)
		}
		h.proxies = append(h.proxies, prefix.Masked())
	}
	if len(h.proxies) == 0 || h.user == "" || grants == nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "--auth-header X-Forwarded-User --trusted-proxies 10.1.2.3 --auth-grants FILE",
			"a header that names users needs proxies that are trusted with it, and grants")
	}
	return h, nil
}

// present tells whether the request has the header.
func (h *Header) present(r *http.Request) bool { return len(r.Header.Values(h.user)) > 0 }

func (h *Header) actor(r *http.Request) (lastnight.Actor, error) {
	if !h.trusts(r.RemoteAddr) {
		return lastnight.Actor{}, lastnight.Errorf(lastnight.CodeUnauthenticated, "ask through the proxy; --trusted-proxies says which are trusted",
			"the header %s comes from an address that is not trusted with it", h.user)
	}
	names := r.Header.Values(h.user)
	if len(names) != 1 {
		return lastnight.Actor{}, lastnight.Errorf(lastnight.CodeUnauthenticated, "", "the header %s is there %d times", h.user, len(names))
	}
	name, err := CheckName(names[0])
	if err != nil {
		return lastnight.Actor{}, lastnight.Errorf(lastnight.CodeUnauthenticated, lastnight.HintOf(err), "the header %s holds no name", h.user)
	}
	var groups []string
	if h.groups != "" {
		for _, v := range r.Header.Values(h.groups) {
			groups = append(groups, strings.Split(v, ",")...)
		}
	}
	return h.grants.actor(name, groups, "header"), nil
}

// trusts tells whether a connection comes from a trusted proxy.
func (h *Header) trusts(remote string) bool {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	a := ap.Addr().Unmap().WithZone("")
	for _, p := range h.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
