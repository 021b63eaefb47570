package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"lastnight"
	"lastnight/api"
	"lastnight/api/auth"
)

// authFlags are the flags of who may ask a server, and how.
type authFlags struct {
	tokens        string
	grants        string
	header        string
	groupsHeader  string
	proxies       []string
	oidc          oidcFlags
	session       time.Duration
	clusterEvents bool
	tlsCert       string
	tlsKey        string
	publicURL     string
	hosts         []string
	insecure      bool
	chatSecret    string
	chatSpaces    []string
}

type oidcFlags struct {
	issuer, client, secretFile, nameClaim, groupsClaim string
	scopes                                             []string
}

func (a *authFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&a.tokens, "auth-tokens", "", "`file` of bearer tokens (`lastnight token` makes entries)")
	f.StringVar(&a.grants, "auth-grants", "", "`file` of what groups and users may do whom a proxy or a provider names")
	f.StringVar(&a.header, "auth-header", "", "`header` in which a trusted proxy names the user, such as X-Forwarded-User")
	f.StringVar(&a.groupsHeader, "auth-groups-header", "", "`header` in which it names the user's groups")
	f.StringSliceVar(&a.proxies, "trusted-proxies", nil, "`addresses` or networks whose --auth-header counts")
	f.StringVar(&a.oidc.issuer, "oidc-issuer", "", "`URL` of the OpenID Connect provider that signs people in")
	f.StringVar(&a.oidc.client, "oidc-client-id", "", "`id` of this server at the provider")
	f.StringVar(&a.oidc.secretFile, "oidc-client-secret-file", "", "`file` with its secret")
	f.StringSliceVar(&a.oidc.scopes, "oidc-scopes", nil, "scopes besides openid (default profile,email,groups)")
	f.StringVar(&a.oidc.nameClaim, "oidc-name-claim", "", "`claim` that names the user (default email, else preferred_username, else sub)")
	f.StringVar(&a.oidc.groupsClaim, "oidc-groups-claim", "groups", "`claim` that lists the user's groups")
	f.DurationVar(&a.session, "session-lifetime", 12*time.Hour, "how long a sign-in in the UI lasts")
	f.BoolVar(&a.clusterEvents, "cluster-events", false, "events of nodes are for everybody with a role, not only for those with all namespaces")
	f.StringVar(&a.tlsCert, "tls-cert", "", "`file` with the certificate (PEM), read again when it changes")
	f.StringVar(&a.tlsKey, "tls-key", "", "`file` with its key")
	f.StringVar(&a.publicURL, "public-url", "", "`URL` at which people reach this server, such as https://lastnight.example.org")
	f.StringSliceVar(&a.hosts, "allowed-hosts", nil, "host `names` besides that of --public-url under which requests may come")
	f.BoolVar(&a.insecure, "insecure-no-auth", false, "let everybody who reaches --listen do everything, without signing in")
	f.StringVar(&a.chatSecret, "chat-secret-file", "", "`file` with the signing secret of the chat's app, for POST /chat/slack")
	f.StringSliceVar(&a.chatSpaces, "chat-namespaces", nil, "`namespaces` that people in the chat may ask about, or *")
}

func (a *authFlags) required() bool { return a.tokens != "" || a.header != "" || a.oidc.issuer != "" }

// check refuses what does not go together.
func (a *authFlags) check(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return lastnight.Errorf(lastnight.CodeInvalid, "--listen 127.0.0.1:7077", "--listen: %w", err)
	}
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	if !loopback && !a.required() && !a.insecure {
		return lastnight.Errorf(lastnight.CodeInvalid, "--auth-tokens FILE, --auth-header or --oidc-issuer say who may ask; --insecure-no-auth lets everybody do everything",
			"--listen: %s is not loopback, and nobody would have to sign in", listen)
	}
	for _, c := range []struct {
		wrong      bool
		flag, hint string
	}{
		{a.insecure && a.required(), "--insecure-no-auth", "leave it out: there is authentication"},
		{(a.tlsCert == "") != (a.tlsKey == ""), "--tls-cert and --tls-key", "give both"},
		{(a.header != "" || a.oidc.issuer != "") && a.grants == "", "--auth-grants", "--auth-grants FILE says what users may do (docs/security.md)"},
		{a.header != "" && len(a.proxies) == 0, "--trusted-proxies", "--trusted-proxies 10.1.2.3: from where --auth-header counts"},
		{a.header == "" && (len(a.proxies) > 0 || a.groupsHeader != ""), "--auth-header", "--auth-header X-Forwarded-User"},
		{a.oidc.issuer != "" && (a.oidc.client == "" || a.publicURL == ""), "--oidc-client-id and --public-url", "give both with --oidc-issuer"},
		{(a.chatSecret == "") != (len(a.chatSpaces) == 0), "--chat-secret-file and --chat-namespaces", "give both"},
		{a.session < time.Minute, "--session-lifetime", "--session-lifetime 12h"},
	} {
		if c.wrong {
			return lastnight.Errorf(lastnight.CodeInvalid, c.hint, "%s: the flags do not go together", c.flag)
		}
	}
	if a.publicURL == "" {
		return nil
	}
	u, err := url.Parse(a.publicURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return lastnight.Errorf(lastnight.CodeInvalid, "--public-url https://lastnight.example.org", "--public-url: %q is not the address of a server", a.publicURL)
	}
	return nil
}

// address tells local commands where a server is that listens on l.
func (a *authFlags) address(l net.Listener) string {
	scheme, addr := "http://", l.Addr().String()
	if a.tlsCert != "" {
		scheme = "https://"
	}
	if t, ok := l.Addr().(*net.TCPAddr); ok && t.IP.IsUnspecified() {
		addr = fmt.Sprintf("127.0.0.1:%d", t.Port)
	}
	return scheme + addr
}

// doorway is who may come in and how, put together.
type doorway struct {
	auth  *auth.Auth
	audit auditLog
	tls   *auth.TLS // nil: none
	hosts []string
	chat  api.ChatConfig
}

// open puts it together on a node.
func (a *authFlags) open(n *node, reg *prometheus.Registry) (d *doorway, err error) {
	d = &doorway{hosts: a.hosts}
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "lastnight", Name: "reload_failures_total", Help: "Changed files that did not parse; what they said before still counts.",
	}, []string{"file"})
	if err := reg.Register(failures); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	tell := func(file string) func(error) {
		return func(err error) {
			failures.WithLabelValues(file).Inc()
			n.cfg.log.Error("a changed file does not count until it is right", "file", file, "err", err)
		}
	}
	if d.audit, err = n.openAudit(reg); err != nil {
		return nil, err
	}
	if err := a.openWho(d, n, reg, tell); err != nil {
		return nil, errors.Join(err, d.audit.Close())
	}
	if err := a.openTLS(d, reg, tell); err != nil {
		return nil, errors.Join(err, d.audit.Close())
	}
	if a.publicURL != "" {
		u, _ := url.Parse(a.publicURL) // check saw to it
		d.hosts = append(d.hosts, u.Host)
	}
	if a.insecure {
		n.cfg.log.Warn("anybody who reaches this server may read everything and change labels; --auth-tokens, --auth-header or --oidc-issuer end that")
	}
	if a.required() && a.tlsCert == "" && !strings.HasPrefix(a.publicURL, "https:") {
		n.cfg.log.Warn("tokens and sessions travel in the clear; use --tls-cert and --tls-key, or a proxy with TLS and --public-url https://…")
	}
	if a.chatSecret != "" {
		secret, err := auth.ReadSecret(a.chatSecret)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--chat-secret-file: %w", err), d.audit.Close())
		}
		d.chat = api.ChatConfig{SigningSecret: secret, Namespaces: a.chatSpaces, PublicURL: a.publicURL}
	}
	return d, nil
}

func (a *authFlags) openWho(d *doorway, n *node, reg *prometheus.Registry, tell func(string) func(error)) (err error) {
	secure := a.tlsCert != "" || strings.HasPrefix(a.publicURL, "https:")
	c := auth.Config{Sessions: auth.NewSessions(bucket{n.store, "auth"}, a.session, secure), Log: n.cfg.log, Metrics: reg}
	if a.tokens != "" {
		if c.Tokens, err = auth.OpenTokens(a.tokens, tell("tokens")); err != nil {
			return fmt.Errorf("--auth-tokens: %w", err)
		}
	}
	var grants *auth.Grants
	if a.grants != "" {
		if grants, err = auth.OpenGrants(a.grants, tell("grants")); err != nil {
			return fmt.Errorf("--auth-grants: %w", err)
		}
	}
	if a.header != "" {
		if c.Header, err = auth.NewHeader(a.header, a.groupsHeader, a.proxies, grants); err != nil {
			return fmt.Errorf("--auth-header: %w", err)
		}
	}
	if a.oidc.issuer != "" {
		if c.OIDC, err = a.openOIDC(grants); err != nil {
			return err
		}
	}
	d.auth, err = auth.New(c)
	return err
}

func (a *authFlags) openOIDC(grants *auth.Grants) (*auth.OIDC, error) {
	c := auth.OIDCConfig{
		Issuer: a.oidc.issuer, ClientID: a.oidc.client, RedirectURL: strings.TrimRight(a.publicURL, "/") + "/auth/callback",
		Scopes: a.oidc.scopes, NameClaim: a.oidc.nameClaim, GroupsClaim: a.oidc.groupsClaim, Grants: grants,
	}
	if a.oidc.secretFile != "" {
		secret, err := auth.ReadSecret(a.oidc.secretFile)
		if err != nil {
			return nil, fmt.Errorf("--oidc-client-secret-file: %w", err)
		}
		c.ClientSecret = string(secret)
	}
	o, err := auth.NewOIDC(c)
	if err != nil {
		return nil, fmt.Errorf("--oidc-issuer: %w", err)
	}
	return o, nil
}

func (a *authFlags) openTLS(d *doorway, reg *prometheus.Registry, tell func(string) func(error)) (err error) {
	if a.tlsCert == "" {
		return nil
	}
	if d.tls, err = auth.OpenTLS(a.tlsCert, a.tlsKey, tell("tls")); err != nil {
		return fmt.Errorf("--tls-cert, --tls-key: %w", err)
	}
	expires := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "lastnight", Name: "tls_certificate_expires_seconds", Help: "When the certificate of the moment ends, in seconds since 1970.",
	}, func() float64 {
		t, err := d.tls.Expires()
		if err != nil {
			return 0
		}
		return float64(t.Unix())
	})
	if err := reg.Register(expires); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	return nil
}

// configure adds to the API's configuration what the doorway knows.
func (d *doorway) configure(c *api.Config, clusterEvents bool) {
	c.Auth, c.Auditor, c.Audits, c.Chat = d.auth, d.audit, d.audit, d.chat
	c.AllowedHosts = append(c.AllowedHosts, d.hosts...)
	c.ClusterEvents = clusterEvents
}

// close closes the audit log, at the end of everything that writes to it.
func (d *doorway) close(log *slog.Logger) {
	if err := d.audit.Close(); err != nil {
		log.Error("close the audit log", "err", err)
	}
}
