package lastnight_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight"
)

func TestNearest(t *testing.T) {
	known := []string{"orders-enrich", "orders-totals", "shop-metrics", "crm-export", ""}
	for name, want := range map[string][]string{
		"orders-enrcih":   {"orders-enrich"},
		"orders":          {"orders-enrich", "orders-totals"},
		"SHOP-METRICS":    {"shop-metrics"},
		"something-other": {},
		"":                {},
	} {
		if diff := cmp.Diff(want, lastnight.Nearest(name, known, 3)); diff != "" {
			t.Errorf("Nearest(%q): %s", name, diff)
		}
	}
}
