// Package kube starts a real etcd and a real kube-apiserver for tests: on loopback,
// random ports, keys of their own, RBAC on, audit log on. Both are built from their
// Go modules (tool modules etcd and apiserver, so that nothing of them gets into
// lastnight's go.mod) and kept in the user's cache directory.
//
// There are no controllers, no scheduler and no kubelet: a pod is what a test
// writes of it, so a test says itself when a container "dies". No controller makes
// service accounts either; the ServiceAccount admission is off.
//
// Where the programs are not built Start skips the test and says so; building them
// is what `make test SUITES=kube` does first (minutes, the Go module proxy). Runs of these tests
// together with many others are spared them by LASTNIGHT_TEST_SERVERS=off.
package kube

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// startTimeout is how long the programs may take to be ready; seconds when nothing else runs.
const startTimeout = 3 * time.Minute

// Cluster is an API server with its etcd. Its methods are for the test's goroutine.
type Cluster struct {
	t        testing.TB
	dir      string
	bin      Binaries
	keys     *keys
	etcdPort int
	apiPort  int
	etcd     *process
	api      *process
}

// Start gives a running cluster, which ends with the test.
func Start(t testing.TB) *Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("kube: -short")
	}
	if os.Getenv("LASTNIGHT_TEST_SERVERS") == "off" {
		t.Skip("kube: LASTNIGHT_TEST_SERVERS is off")
	}
	bin, err := Find()
	if err != nil {
		t.Skipf("kube: %v", err)
	}
	c := &Cluster{t: t, dir: t.TempDir(), bin: bin}
	if c.keys, err = newKeys(c.dir); err != nil {
		t.Fatalf("kube: %v", err)
	}
	c.write("audit.yaml", auditPolicy)
	c.etcdPort, c.apiPort = freePort(t), freePort(t)
	c.startEtcd()
	c.StartAPI()
	return c
}

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: None, users: ["system:apiserver"]}, {level: Metadata}]
`

func (c *Cluster) write(name, text string) {
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		c.t.Fatalf("kube: %v", err)
	}
}

func (c *Cluster) startEtcd() {
	client := fmt.Sprintf("http://127.0.0.1:%d", c.etcdPort)
	peer := fmt.Sprintf("http://127.0.0.1:%d", freePort(c.t))
	c.etcd = c.run(c.bin.Etcd,
		"--data-dir", filepath.Join(c.dir, "etcd"), "--log-level", "warn", "--unsafe-no-fsync",
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	c.await(c.etcd, func(ctx context.Context) error {
		b, err := c.askEtcd(ctx, http.MethodGet, "/health", nil)
		if err == nil && !bytes.Contains(b, []byte(`"true"`)) {
			err = fmt.Errorf("etcd says %s", b)
		}
		return err
	})
}

// StartAPI starts the API server, again after StopAPI: on the same port, with the same data.
func (c *Cluster) StartAPI() {
	c.t.Helper()
	file := func(name string) string { return filepath.Join(c.dir, name) }
	c.api = c.run(c.bin.APIServer,
		"--etcd-servers", fmt.Sprintf("http://127.0.0.1:%d", c.etcdPort),
		"--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--secure-port", strconv.Itoa(c.apiPort),
		"--tls-cert-file", file("server.crt"), "--tls-private-key-file", file("server.key"), "--client-ca-file", file("ca.crt"),
		"--service-account-key-file", file("server.key"), "--service-account-signing-key-file", file("server.key"),
		"--service-account-issuer", "https://kubernetes.default.svc",
		"--authorization-mode", "RBAC", "--disable-admission-plugins", "ServiceAccount", "--allow-privileged",
		"--service-cluster-ip-range", "10.96.0.0/24", "--endpoint-reconciler-type", "none", "--cert-dir", file("certs"),
		"--audit-policy-file", file("audit.yaml"), "--audit-log-path", file("audit.log"), "--shutdown-delay-duration", "0s")
	admin := kubernetes.NewForConfigOrDie(c.Config())
	c.await(c.api, func(ctx context.Context) error {
		if err := admin.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error(); err != nil {
			return err
		}
		return admin.CoreV1().RESTClient().Get().AbsPath("/api/v1/namespaces/kube-system").Do(ctx).Error()
	})
}

// StopAPI kills the API server as a node's crash does.
func (c *Cluster) StopAPI() { c.api.kill() }

// Config is an administrator's access, without client-side rate limit.
func (c *Cluster) Config() *rest.Config {
	return &rest.Config{
		Host: fmt.Sprintf("https://127.0.0.1:%d", c.apiPort), QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.keys.ca, CertData: c.keys.adminCert, KeyData: c.keys.adminKey},
	}
}

// ServiceAccount is the access of a service account, by impersonation.
func (c *Cluster) ServiceAccount(namespace, name string) *rest.Config {
	cfg := c.Config()
	cfg.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":" + name,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
	return cfg
}

// Compact makes etcd forget all history: watches that resume from before it get "410 Gone".
// An API server that runs may still serve them from its own cache; stop it before.
func (c *Cluster) Compact() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	put := []byte(`{"key":"dGVzdA==","value":"MQ=="}`)
	_, err := c.askEtcd(ctx, http.MethodPost, "/v3/kv/put", put)
	var b []byte
	if err == nil { // the second one, so that what follows the newest object is forgotten too
		b, err = c.askEtcd(ctx, http.MethodPost, "/v3/kv/put", put)
	}
	var answer struct {
		Header struct {
			Revision string `json:"revision"`
		} `json:"header"`
	}
	if err == nil {
		err = json.Unmarshal(b, &answer)
	}
	if err == nil {
		_, err = c.askEtcd(ctx, http.MethodPost, "/v3/kv/compaction", fmt.Appendf(nil, `{"revision":%q,"physical":true}`, answer.Header.Revision))
	}
	if err != nil {
		c.t.Fatalf("kube: compact etcd: %v", err)
	}
}

func (c *Cluster) askEtcd(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://127.0.0.1:%d%s", c.etcdPort, path), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask etcd: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask etcd: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("ask etcd: %s: %s", resp.Status, b)
	}
	return b, err
}

// await asks until ready says nil; the test fails when it takes too long or the program ended.
func (c *Cluster) await(p *process, ready func(context.Context) error) {
	c.t.Helper()
	deadline := time.Now().Add(startTimeout)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := ready(ctx)
		cancel()
		if err == nil {
			return
		}
		if p.ended() || time.Now().After(deadline) {
			c.t.Fatalf("kube: %s does not get ready: %v\n%s", filepath.Base(p.path), err, p.tail())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// freePort gives a port that nobody listens on now.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("kube: %v", err)
	}
	defer func() { _ = l.Close() }()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("kube: listening on %v", l.Addr())
	}
	return addr.Port
}

// Kubeconfig is the same as a file that programs read.
func (c *Cluster) Kubeconfig() []byte {
	b64 := base64.StdEncoding.EncodeToString
	cfg := c.Config()
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: admin, user: {client-certificate-data: %s, client-key-data: %s}}]
contexts: [{name: test, context: {cluster: test, user: admin, namespace: default}}]
current-context: test
`, cfg.Host, b64(cfg.CAData), b64(cfg.CertData), b64(cfg.KeyData))
}
