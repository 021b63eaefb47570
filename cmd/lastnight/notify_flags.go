package main

import (
	"context"
	"fmt"
	"iter"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"lastnight"
	"lastnight/indexer/lease"
	"lastnight/investigation/notify"
)

// notifyFlags are the flags of messages about incidents.
type notifyFlags struct{ config string }

func (f *notifyFlags) flags(fs *pflag.FlagSet) {
	fs.StringVar(&f.config, "notify-config", "", "`file` that says whom to tell of incidents (docs/notifications.md)")
}

// open reads the file and makes the notifier; nil if there is no file.
func (f *notifyFlags) open(n *node, asks lastnight.Investigator, publicURL string, reg *prometheus.Registry) (*notify.Notifier, error) {
	if f.config == "" {
		return nil, nil //nolint:nilnil // no flag, no notifier, and that is no error
	}
	c, err := notify.LoadConfig(f.config)
	if err != nil {
		return nil, fmt.Errorf("--notify-config: %w", err)
	}
	note, err := notify.New(c, notify.Options{Incidents: asks, Keeper: bucket{n.store, "notify"}, PublicURL: publicURL, Log: n.cfg.log, Metrics: reg, Mine: lease.Check})
	if err != nil {
		return nil, fmt.Errorf("--notify-config: %w", err)
	}
	return note, nil
}

var _ notify.Keeper = bucket{}

// Keys streams keys.
func (b bucket) Keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for item, err := range b.exact.List(ctx, b.name, prefix) {
			if !yield(item.Key, err) || err != nil {
				return
			}
		}
	}
}
