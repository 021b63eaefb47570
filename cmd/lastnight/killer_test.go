package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// moment is a point in what a server does: at a request of a kind to Elasticsearch or the object store, before
// that is passed on, when half of its body is, or when it was carried out and the answer is not passed on.
type moment struct {
	kind string // see kindOf; what it begins with
	when string // before, half, after
}

// killer stands between servers and what they share, sees their requests and kills (-9) who makes one of a kind.
type killer struct {
	mu    sync.Mutex
	armed moment                      // guarded by mu; zero: nobody is killed
	only  *process                    // guarded by mu; nil: whoever it is
	fired chan *process               // takes who was killed
	seen  map[string]int              // guarded by mu; kinds of requests that change something
	by    map[string]map[*process]int // guarded by mu; of each kind, who made how many
}

func newKiller() *killer {
	return &killer{fired: make(chan *process, 1), seen: map[string]int{}, by: map[string]map[*process]int{}}
}

// arm kills the first that makes such a request from now on; not nil: it must be that process.
func (k *killer) arm(m moment, only *process) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.armed, k.only = m, only
}

// hit tells at which moment of a request its sender is to die, "" if not.
func (k *killer) hit(p *process, kind string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if kind == "" {
		return ""
	}
	k.seen[kind]++
	if k.by[kind] == nil {
		k.by[kind] = map[*process]int{}
	}
	k.by[kind][p]++
	if k.armed.when == "" || k.only != nil && k.only != p || !strings.HasPrefix(kind, k.armed.kind) {
		return ""
	}
	when := k.armed.when
	k.armed = moment{}
	return when
}

// before starts a proxy of one process before a target and gives its address. p may be set later, before the first request.
func (k *killer) before(t *testing.T, p **process, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	back := httputil.NewSingleHostReverseProxy(u)
	back.ErrorLog = log.New(io.Discard, "", 0)
	back.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // who asks is dead
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		switch k.hit(*p, kindOf(r, body)) {
		case "":
			back.ServeHTTP(w, r)
			return
		case "half":
			(*p).kill()
			r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), severed{}))
			back.ServeHTTP(httptest.NewRecorder(), r)
		case "after":
			rec := httptest.NewRecorder()
			back.ServeHTTP(rec, r)
			if rec.Code >= http.StatusMultipleChoices && rec.Code != http.StatusConflict { // what is there already
				t.Errorf("%s %s, which was to be carried out before the kill: %d %.200s", r.Method, r.URL.Path, rec.Code, rec.Body)
			}
			(*p).kill()
		default:
			(*p).kill()
		}
		k.fired <- *p
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// kinds tells which requests were seen, for people.
func (k *killer) kinds() map[string]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.seen)
}

// who tells which processes have made requests of a kind, since the last forget.
func (k *killer) who(kind string) map[*process]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.by[kind])
}

// forget lets who begin anew.
func (k *killer) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.by)
}

// severed is the rest of a body whose sender is gone.
type severed struct{}

func (severed) Read([]byte) (int, error) { return 0, errors.New("the sender is gone") }

var indexName = regexp.MustCompile(`killed-(documents|counts|templates|jobs|pods|incidents|items|sources)`)

// kindOf names a request that changes something, "" of others:
//
//	put segment, put chunk, put manifest, delete segment …   of the object store
//	bulk documents, bulk counts …                            of Elasticsearch, by the first index in it
//	put sources                                              the mark that a segment's counts are there
//	drop documents                                           a day of retention
//	item leases/archive, item marks/new/, delete item        by bucket and key
func kindOf(r *http.Request, body []byte) string {
	verb := map[string]string{http.MethodPut: "put ", http.MethodDelete: "delete "}[r.Method]
	for _, folder := range []string{"segments", "chunks", "manifests"} {
		if verb != "" && strings.Contains(r.URL.Path, "/"+folder+"/") {
			return verb + strings.TrimSuffix(folder, "s")
		}
	}
	what := indexName.FindStringSubmatch(r.URL.Path)
	switch {
	case strings.HasSuffix(r.URL.Path, "_bulk"):
		if what == nil {
			what = firstIndex(body)
		}
		if what == nil {
			return "bulk"
		}
		return "bulk " + what[1]
	case verb == "delete " && what != nil && strings.Contains(r.URL.Path, "/_doc/"):
		return "delete item"
	case verb == "delete " && what != nil:
		return "drop " + what[1]
	case verb == "put " && what != nil && strings.Contains(r.URL.Path, "/_doc/") && what[1] != "items":
		return "put " + what[1]
	case verb == "put " && what != nil && strings.Contains(r.URL.Path, "/_doc/"):
		return "item " + itemName(body)
	}
	return ""
}

// itemName gives bucket and key of an item that is put.
func itemName(body []byte) string {
	var i struct{ Bucket, Key, Value string }
	if json.Unmarshal(body, &i) != nil {
		return "?"
	}
	bucket, _ := hex.DecodeString(i.Bucket)
	key, _ := hex.DecodeString(i.Key)
	if value, _ := base64.StdEncoding.DecodeString(i.Value); string(bucket) == "leases" && bytes.Contains(value, []byte(`"holder":""`)) {
		return "released " + string(key)
	}
	switch string(bucket) {
	case "audit", "clusterer": // of those there are many
		key = nil
	case "marks":
		key = bytes.SplitAfter(key, []byte("/"))[0]
	}
	return string(bucket) + "/" + string(key)
}

// firstIndex finds the first index that a bulk request names.
func firstIndex(body []byte) []string {
	return indexName.FindStringSubmatch(string(body[:min(len(body), 500)]))
}
