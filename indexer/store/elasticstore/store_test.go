package elasticstore_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"lastnight/indexer/store"
	"lastnight/indexer/store/elasticstore"
	"lastnight/indexer/store/storetest"
	"lastnight/internal/testenv/elasticsearch"
)

var (
	node   elasticsearch.Shared
	stores atomic.Int64
)

func TestMain(m *testing.M) { os.Exit(node.Main(m)) }

// config is that of a store of its own on the node of these tests.
func config(t testing.TB) elasticstore.Config {
	t.Helper()
	prefix := fmt.Sprintf("test%d", stores.Add(1))
	url := node.Node(t).URL
	t.Cleanup(func() { drop(t, url, prefix) })
	return elasticstore.Config{Addresses: []string{url}, Prefix: prefix}
}

// drop removes all indices of a store, that the node does not run out of shards.
func drop(t testing.TB, url, prefix string) {
	ctx := context.WithoutCancel(t.Context())
	var names []string
	for _, kind := range []string{"documents", "counts", "sources", "templates", "pods", "jobs", "incidents", "items"} {
		for line := range strings.Lines(do(ctx, t, "GET", url+"/_cat/indices/"+prefix+"-"+kind+"-*?h=index", "")) {
			names = append(names, strings.TrimSpace(line))
		}
	}
	if len(names) > 0 {
		do(ctx, t, "DELETE", url+"/"+strings.Join(names, ","), "")
	}
}

func open(t testing.TB, cfg elasticstore.Config) *elasticstore.Store {
	t.Helper()
	s, err := elasticstore.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, config(t)) })
}
