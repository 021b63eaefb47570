package elasticstore_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"lastnight"
	"lastnight/indexer/store/elasticstore"
)

// authority is a CA of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	form := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{cert: cert, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issue makes a certificate for 127.0.0.1, and its key.
func (a *authority) issue(t *testing.T) (cert, key []byte) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	form := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, form, a.cert, &own.PublicKey, a.key)
	must(t, err)
	b, err := x509.MarshalECPrivateKey(own)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: b})
}

// secure stands before the node with a certificate of ca, and notes who asks. Only clients with a
// certificate of ca are let in if needed.
func secure(t *testing.T, target string, ca *authority, needed bool) (url string, asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var who []string
	p := &proxy{fault: func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		who = append(who, r.Header.Get("Authorization"))
		r.Header.Del("Authorization")
		return false
	}}
	s := httptest.NewUnstartedServer(p.handler(t, target))
	cert, key := ca.issue(t)
	pair, err := tls.X509KeyPair(cert, key)
	must(t, err)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if needed {
		s.TLS.ClientAuth, s.TLS.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		s.TLS.ClientCAs.AddCert(ca.cert)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return who
	}
}

// works fails unless a store can be opened and used.
func works(t *testing.T, cfg elasticstore.Config) {
	t.Helper()
	s := open(t, cfg)
	docs := documents(5)
	must(t, s.Index(t.Context(), docs))
	wantAll(t, s, docs)
	must(t, s.Close())
}

func TestClientCertificate(t *testing.T) {
	cfg, ca := config(t), newAuthority(t)
	url, _ := secure(t, cfg.Addresses[0], ca, true)
	cfg.Addresses, cfg.CACert, cfg.MaxWait = []string{url}, ca.pem, 300*time.Millisecond
	_, err := elasticstore.Open(t.Context(), cfg)
	if err == nil || !strings.Contains(lastnight.HintOf(err), "--store-cert") {
		t.Errorf("without a certificate: %v (try: %s)", err, lastnight.HintOf(err))
	}
	other := newAuthority(t)
	cfg.ClientCert, cfg.ClientKey = other.issue(t)
	if _, err := elasticstore.Open(t.Context(), cfg); err == nil || !strings.Contains(lastnight.HintOf(err), "--store-cert") {
		t.Errorf("with a certificate of somebody else: %v (try: %s)", err, lastnight.HintOf(err))
	}
	cfg.ClientCert, cfg.ClientKey = ca.issue(t)
	cfg.MaxWait = 30 * time.Second
	works(t, cfg)
}

func TestBasicAndAPIKey(t *testing.T) {
	node, ca := config(t), newAuthority(t)
	for name, test := range map[string]struct {
		set  func(*elasticstore.Config)
		want string
	}{
		"basic":   {func(c *elasticstore.Config) { c.Username, c.Password = "ann", "pass:word" }, "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:pass:word"))},
		"API key": {func(c *elasticstore.Config) { c.APIKey, c.Username, c.Password = "a2V5", "ann", "x" }, "APIKey a2V5"},
	} {
		url, asked := secure(t, node.Addresses[0], ca, false)
		cfg := node
		cfg.Addresses, cfg.CACert = []string{url}, ca.pem
		test.set(&cfg)
		works(t, cfg)
		for _, who := range asked() {
			if !strings.EqualFold(who, test.want) {
				t.Fatalf("%s: asked as %q, want %q", name, who, test.want)
			}
		}
	}
}

// A cloud id names a host whose parts are joined with a dot: here they make 127.0.0.1.
func TestCloudID(t *testing.T) {
	cfg, ca := config(t), newAuthority(t)
	url, asked := secure(t, cfg.Addresses[0], ca, false)
	port := url[strings.LastIndexByte(url, ':')+1:]
	cfg.Addresses, cfg.CACert, cfg.APIKey = nil, ca.pem, "a2V5"
	cfg.CloudID = "logs:" + base64.StdEncoding.EncodeToString([]byte("0.0.1:"+port+"$127$kibana"))
	works(t, cfg)
	if len(asked()) == 0 {
		t.Error("nobody was asked")
	}
	cfg.CloudID = "nonsense"
	if _, err := elasticstore.Open(t.Context(), cfg); lastnight.CodeOf(err) != lastnight.CodeInvalid {
		t.Errorf("a cloud id that is none: %v", err)
	}
}

func TestOneOfSeveralAddressesIsDead(t *testing.T) {
	cfg := config(t)
	alive := cfg.Addresses[0]
	for _, addresses := range [][]string{{"http://127.0.0.1:1", alive}, {alive, "http://127.0.0.1:1"}, {"http://127.0.0.1:1", alive, "http://127.0.0.1:2"}} {
		cfg.Addresses = addresses
		works(t, cfg)
	}
}
