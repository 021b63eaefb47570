package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"lastnight"
	"lastnight/collector/kube/watch"
)

// namespaceFile tells a pod in which namespace it runs.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// leaseName is the Lease whose holder watches cluster-wide.
const leaseName = "lastnight-watch"

// kubeFlags say how the Kubernetes API is watched.
type kubeFlags struct {
	mode        string
	kubeconfig  string
	annotations []string
}

func (k *kubeFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&k.mode, "kube", "auto", "watch Kubernetes for events, pods and nodes: auto (in a cluster, or where --kubeconfig or $KUBECONFIG is set), on or off")
	f.StringVar(&k.kubeconfig, "kubeconfig", "", "`file` with access to the Kubernetes API (default in a pod its service account, else $KUBECONFIG)")
	f.StringSliceVar(&k.annotations, "pod-annotations", nil, "`names` of pod annotations to keep; none by default, they may hold secrets")
}

func (k *kubeFlags) check() error {
	switch k.mode {
	case "auto", "on", "off":
		return nil
	}
	return lastnight.Errorf(lastnight.CodeInvalid, "--kube auto, --kube on, --kube off", "--kube: %q is unknown", k.mode)
}

// access finds the way to the API server: nil where there is none or it is not wanted.
func (k *kubeFlags) access() (*rest.Config, error) {
	if k.mode == "off" {
		return nil, nil //nolint:nilnil // none is an answer
	}
	cfg, err := k.find()
	switch {
	case err != nil:
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "--kubeconfig FILE, or --kube off", "access to Kubernetes: %w", err)
	case cfg == nil && k.mode == "on":
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "--kubeconfig FILE, or --kube off", "--kube on: this is no pod with a service account, and there is no kubeconfig")
	case cfg != nil:
		cfg.UserAgent = "lastnight/" + version
	}
	return cfg, nil
}

func (k *kubeFlags) find() (*rest.Config, error) {
	if k.kubeconfig == "" {
		cfg, err := rest.InClusterConfig()
		if err == nil {
			return cfg, nil
		}
		if !errors.Is(err, rest.ErrNotInCluster) && os.Getenv("KUBECONFIG") == "" {
			if errors.Is(err, os.ErrNotExist) {
				return nil, nil //nolint:nilnil // a pod without automountServiceAccountToken
			}
			return nil, fmt.Errorf("service account: %w", err)
		}
		if os.Getenv("KUBECONFIG") == "" {
			return nil, nil //nolint:nilnil // none is an answer
		}
	}
	cfg, err := k.clientConfig().ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	return cfg, nil
}

// leaseNamespace is where the Lease of the leader is: a pod's own namespace, or the one that the kubeconfig's
// context names. "" without either: then nobody is elected, and every agent watches cluster-wide things.
func (k *kubeFlags) leaseNamespace() string {
	if b, err := os.ReadFile(namespaceFile); err == nil {
		return strings.TrimSpace(string(b))
	}
	raw, err := k.clientConfig().RawConfig()
	if err != nil {
		return ""
	}
	if c := raw.Contexts[raw.CurrentContext]; c != nil {
		return c.Namespace
	}
	return ""
}

// clientConfig is what --kubeconfig, else $KUBECONFIG, says.
func (k *kubeFlags) clientConfig() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = k.kubeconfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil)
}

// watching is a watch of Kubernetes that is ready to run; the zero one watches nothing.
type watching struct {
	cluster string // the cluster's name, for what is collected besides; "" if not known
	cfg     watch.Config
	metrics *watchMetrics // nil: nothing is watched
}

// watchConfig says what a command wants of Kubernetes.
type watchConfig struct {
	node  string // of this agent; "": pods of all nodes
	elect bool   // share cluster-wide things with other agents: only the leader watches them
	keep  string // directory that remembers the cluster's name while the API server is away; "": none
	log   *slog.Logger
}

// open prepares the watch. Without access it says so once, and the zero watching is given.
func (k *kubeFlags) open(ctx context.Context, c watchConfig) (watching, error) {
	if err := k.check(); err != nil {
		return watching{}, err
	}
	cfg, err := k.access()
	if err != nil {
		return watching{}, err
	}
	if cfg == nil {
		if k.mode != "off" {
			c.log.Info("no access to the Kubernetes API: namespaces, pods and containers are known from paths alone", "hint", "--kubeconfig, or a service account")
		}
		return watching{}, nil
	}
	quietKlog(ctx, c.log)
	asked, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	w := watching{metrics: &watchMetrics{}}
	w.cluster = c.clusterName(asked, cfg)
	w.cfg = watch.Config{REST: cfg, Log: c.log, Cluster: w.cluster, Node: c.node, LeaseName: leaseName, Annotations: k.annotations}
	if c.elect {
		w.cfg.LeaseNamespace = k.leaseNamespace()
		w.cfg.Identity = identity(c.node)
	}
	return w, nil
}

// clusterName asks for the cluster's name, or gives the one that was told last: a node that starts while its
// API server is away knows it all the same.
func (c *watchConfig) clusterName(ctx context.Context, cfg *rest.Config) string {
	file := filepath.Join(c.keep, "cluster-name")
	name, err := watch.ClusterName(ctx, cfg)
	switch {
	case c.keep == "":
	case err == nil:
		if e := errors.Join(os.MkdirAll(c.keep, 0o750), os.WriteFile(file, []byte(name+"\n"), 0o600)); e != nil {
			c.log.Warn("the cluster's name cannot be kept", "err", e)
		}
	default:
		kept, _ := os.ReadFile(file) // none yet: it has no name for now
		name = strings.TrimSpace(string(kept))
	}
	if err != nil {
		c.log.Warn("the API server does not tell the cluster's name", "kept", name, "err", err)
	}
	return name
}

// run watches and sends what it sees until the context is over; the zero watching returns at once.
func (w *watching) run(ctx context.Context, to lastnight.Ingester) error {
	if w.cfg.REST == nil {
		return nil
	}
	w.cfg.Ingester = to
	watcher, err := watch.New(w.cfg)
	if err != nil {
		return fmt.Errorf("watch Kubernetes: %w", err)
	}
	w.metrics.watcher.Store(watcher)
	if err := watcher.Run(ctx); err != nil {
		return fmt.Errorf("watch Kubernetes: %w", err)
	}
	return nil
}

// identity names this process among all that may lead.
func identity(node string) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s_%s_%d", host, node, os.Getpid())
}

// quietKlog keeps what client-go logs by itself off the log unless it is verbose: what matters of it we say.
func quietKlog(ctx context.Context, log *slog.Logger) {
	if log.Enabled(ctx, slog.LevelDebug) {
		klog.SetLogger(logr.FromSlogHandler(log.Handler()))
		return
	}
	klog.SetLogger(logr.Discard())
}
