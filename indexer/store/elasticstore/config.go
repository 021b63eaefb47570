package elasticstore

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"time"

	elastic "github.com/elastic/go-elasticsearch/v8"

	"lastnight"
)

// Config says where Elasticsearch is and how it is asked. Addresses or CloudID must be set.
type Config struct {
	Addresses []string // https://host:9200; several are used in turn, one that does not answer is left out for a while
	CloudID   string   // instead of Addresses, for Elastic Cloud

	Username, Password string
	APIKey             string // as Elasticsearch gave it, base64; wins over Username
	CACert             []byte // PEM; nil: the system's
	ClientCert         []byte // PEM, with ClientKey: the client's own certificate
	ClientKey          []byte

	Prefix    string        // of all names; "" is "lastnight"
	IndexMode string        // index.mode of documents, such as "logsdb"; "" leaves it out
	Replicas  string        // index.auto_expand_replicas; "" is "0-1"
	MaxWait   time.Duration // how long a call tries again before it gives up; 0 is 30 s
	// BatchBytes and BatchDocuments bound one bulk request; 0 is 5 MiB and 2,000.
	BatchBytes, BatchDocuments int
	// Workers is how many bulk requests one call sends at once; 0 is 2.
	Workers int
	// DeadLetters is the file for documents that Elasticsearch refuses for what they are.
	// "": they are kept among the items of the store itself, for servers without a disk of their own.
	DeadLetters string
	Logger      *slog.Logger
}

var prefixForm = regexp.MustCompile(`^[a-z][a-z0-9.]{0,63}$`)

func (c Config) withDefaults() Config {
	if c.Prefix == "" {
		c.Prefix = "lastnight"
	}
	if c.Replicas == "" {
		c.Replicas = "0-1"
	}
	if c.MaxWait <= 0 {
		c.MaxWait = 30 * time.Second
	}
	if c.BatchBytes <= 0 {
		c.BatchBytes = 5 << 20
	}
	if c.BatchDocuments <= 0 {
		c.BatchDocuments = 2000
	}
	if c.Workers <= 0 {
		c.Workers = 2
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c *Config) check() error {
	if len(c.Addresses) == 0 && c.CloudID == "" {
		return lastnight.Errorf(lastnight.CodeInvalid, "--store https://elasticsearch:9200", "no address of Elasticsearch")
	}
	for _, a := range c.Addresses {
		u, err := url.Parse(a)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return lastnight.Errorf(lastnight.CodeInvalid, "--store https://elasticsearch:9200", "an address of Elasticsearch is no http or https URL")
		}
		if u.User != nil {
			return lastnight.Errorf(lastnight.CodeInvalid, "LASTNIGHT_STORE_USERNAME and LASTNIGHT_STORE_PASSWORD", "user and password do not belong into the address of %s: command lines are no secret", u.Host)
		}
	}
	if !prefixForm.MatchString(c.Prefix) {
		return lastnight.Errorf(lastnight.CodeInvalid, "lower-case letters, digits and dots, such as lastnight", "%q is no prefix of indices", c.Prefix)
	}
	return nil
}

func newClient(c *Config) (*elastic.BaseClient, error) {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(c.CACert) > 0 {
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(c.CACert) {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "a file with -----BEGIN CERTIFICATE-----", "the CA of Elasticsearch is no PEM certificate")
		}
	}
	if len(c.ClientCert) > 0 {
		pair, err := tls.X509KeyPair(c.ClientCert, c.ClientKey)
		if err != nil {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "PEM files that belong together", "the client certificate for Elasticsearch: %w", err)
		}
		tlsConfig.Certificates = []tls.Certificate{pair}
	}
	client, err := elastic.NewBaseClient(elastic.Config{
		Addresses: c.Addresses, CloudID: c.CloudID, Username: c.Username, Password: c.Password, APIKey: c.APIKey,
		DisableRetry: true, // call knows better what may be sent again, and for how long
		Transport: &http.Transport{
			Proxy:       http.ProxyFromEnvironment,
			DialContext: (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext, TLSHandshakeTimeout: 10 * time.Second,
			TLSClientConfig: tlsConfig, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second,
			ResponseHeaderTimeout: 2 * time.Minute,
		},
	})
	if err != nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "--store https://elasticsearch:9200", "connect to Elasticsearch: %w", err)
	}
	return client, nil
}

// backoff is how long to wait before try n (from 1), without jitter.
func backoff(n int) time.Duration {
	return min(100*time.Millisecond<<min(n-1, 6), 5*time.Second)
}

func (c *Config) where() string {
	if len(c.Addresses) > 0 {
		return c.Addresses[0]
	}
	return fmt.Sprintf("cloud %.20s…", c.CloudID)
}
