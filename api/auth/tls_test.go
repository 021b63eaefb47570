package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"
)

// makePair writes a certificate of a serial number, and gives both files' text.
func makePair(t testing.TB, serial int64) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	kb, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: kb}))
}

func TestTLSRotates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	cert, key := makePair(t, 1)
	write(t, certFile, cert)
	write(t, keyFile, key)
	failed := 0
	pair, err := OpenTLS(certFile, keyFile, func(error) { failed++ })
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.TLS = pair.Config()
	srv.StartTLS()
	t.Cleanup(srv.Close)
	dial := func(most uint16) (serial int64, err error) {
		d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", MaxVersion: most, MinVersion: tls.VersionTLS10}}
		c, err := d.DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
		if err != nil {
			return 0, err
		}
		defer func() { _ = c.Close() }()
		return c.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
	}
	// httptest adds a certificate of its own, which GetCertificate goes before.
	if serial, err := dial(0); err != nil || serial != 1 {
		t.Fatal(serial, err)
	}
	if _, err := dial(tls.VersionTLS11); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	cert, key = makePair(t, 2)
	write(t, certFile, cert) // half of it
	soon(&pair.pair)
	if serial, err := dial(0); err != nil || serial != 1 || failed != 1 {
		t.Errorf("between two files: %d %v, told %d times", serial, err, failed)
	}
	write(t, keyFile, key)
	soon(&pair.pair)
	if serial, err := dial(tls.VersionTLS12); err != nil || serial != 2 {
		t.Errorf("after the rotation: %d %v", serial, err)
	}
	if at, err := pair.Expires(); err != nil || time.Until(at) < 50*time.Minute {
		t.Error(at, err)
	}
	write(t, certFile, "no certificate")
	if _, err := OpenTLS(certFile, keyFile, nil); err == nil {
		t.Error("what is no certificate opens")
	}
}
