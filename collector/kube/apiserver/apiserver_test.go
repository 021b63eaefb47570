package apiserver_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"lastnight/collector/kube/apiserver"
	"lastnight/internal/testenv/kube"
)

type named struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name            string            `json:"name"`
		Namespace       string            `json:"namespace,omitempty"`
		ResourceVersion string            `json:"resourceVersion,omitempty"`
		Labels          map[string]string `json:"labels,omitempty"`
	} `json:"metadata"`
}

func configMap(name string) *named {
	m := &named{APIVersion: "v1", Kind: "ConfigMap"}
	m.Metadata.Name, m.Metadata.Namespace = name, "default"
	return m
}

func configMaps() apiserver.Resource {
	return apiserver.Resource{Version: "v1", Name: "configmaps", Namespace: "default"}
}

func client(t *testing.T, c *kube.Cluster) *apiserver.Client {
	t.Helper()
	client, err := apiserver.New(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What is written is read back; each refusal is told apart.
func TestObjects(t *testing.T) {
	c := kube.Start(t)
	a := client(t, c)
	ctx := t.Context()
	var got named
	if err := a.Get(ctx, configMaps(), "none", &got); !apiserver.IsNotFound(err) || !apiserver.Told(err) {
		t.Errorf("get what is not there: %v", err)
	}
	must(t, a.Create(ctx, configMaps(), configMap("one"), &got))
	if err := a.Create(ctx, configMaps(), configMap("one"), &got); !apiserver.IsConflict(err) {
		t.Errorf("create it again: %v", err)
	}
	old := got
	got.Metadata.Labels = map[string]string{"a": "b"}
	must(t, a.Update(ctx, configMaps(), "one", &got, &got))
	if err := a.Update(ctx, configMaps(), "one", &old, &named{}); !apiserver.IsConflict(err) {
		t.Errorf("update of an old version: %v", err)
	}
	var meta named
	must(t, a.GetMetadata(ctx, configMaps(), "one", &meta))
	if meta.Kind != "PartialObjectMetadata" || meta.Metadata.Labels["a"] != "b" {
		t.Errorf("metadata alone: %+v", meta)
	}
	nobody, err := apiserver.New(c.ServiceAccount("default", "nobody"))
	must(t, err)
	if err := nobody.Get(ctx, configMaps(), "one", &got); !apiserver.IsForbidden(err) {
		t.Errorf("without a right: %v", err)
	}
	c.StopAPI()
	if err := a.Get(ctx, configMaps(), "one", &got); err == nil || apiserver.Told(err) {
		t.Errorf("nobody answers: %v", err)
	}
}

// Pages of a list whose rest expires meanwhile (etcd forgot the version) come all at once, and none is missing.
func TestListExpires(t *testing.T) {
	c := kube.Start(t)
	a := client(t, c)
	want := []string{}
	for i := range 5 {
		name := fmt.Sprintf("map-%d", i)
		want = append(want, name)
		must(t, a.Create(t.Context(), configMaps(), configMap(name), &named{}))
	}
	list := func(between func(page int)) (names []string, pages int, version string) {
		version, err := a.List(t.Context(), configMaps(), apiserver.ListOptions{Limit: 2}, func(raw json.RawMessage) {
			var m named
			must(t, json.Unmarshal(raw, &m))
			if strings.HasPrefix(m.Metadata.Name, "map-") {
				names = append(names, m.Metadata.Name)
			}
		}, func() { pages++; between(pages) })
		must(t, err)
		return names, pages, version
	}
	names, pages, _ := list(func(int) {})
	if slices.Sort(names); !slices.Equal(names, want) || pages != 3 {
		t.Errorf("%v in %d pages, want %v in 3", names, pages, want)
	}
	names, pages, version := list(func(page int) {
		if page == 1 {
			c.Compact()
		}
	})
	slices.Sort(names)
	if names = slices.Compact(names); !slices.Equal(names, want) || pages != 2 {
		t.Errorf("after its rest expired: %v in %d pages, want %v in 2", names, pages, want)
	}
	if version == "" {
		t.Error("the list has no version")
	}
	_, err := a.List(t.Context(), configMaps(), apiserver.ListOptions{ResourceVersion: "99999999"}, func(json.RawMessage) {}, func() {})
	if !apiserver.IsTooNew(err) {
		t.Errorf("a list not older than a version that is to come: %v", err)
	}
}
