package auth

import (
	"crypto/tls"
	"fmt"
	"time"

	"lastnight"
)

// TLS is a certificate from files, which are read again when they change.
type TLS struct{ pair watched[*tls.Certificate] }

// OpenTLS reads certificate and key (PEM). A later pair that does not fit, such as the half of a
// rotation, is told to fail and does not count.
func OpenTLS(cert, key string, fail func(error)) (*TLS, error) {
	t := &TLS{watched[*tls.Certificate]{paths: []string{cert, key}, fail: fail, parse: func(c [][]byte) (*tls.Certificate, error) {
		pair, err := tls.X509KeyPair(c[0], c[1])
		if err != nil {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "PEM files that belong together", "the certificate and its key: %w", err)
		}
		return &pair, nil
	}}}
	return t, t.pair.open()
}

// Config gives the settings of a server: TLS 1.2 or later, the certificate of the moment.
func (t *TLS) Config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return t.pair.get(), nil },
	}
}

// Expires tells until when the certificate of the moment is good.
func (t *TLS) Expires() (time.Time, error) {
	c := t.pair.get()
	if c.Leaf == nil {
		return time.Time{}, fmt.Errorf("the certificate was not parsed")
	}
	return c.Leaf.NotAfter, nil
}
