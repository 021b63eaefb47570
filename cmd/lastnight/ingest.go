package main

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"lastnight"
	"lastnight/api/auth"
	"lastnight/indexer/ingest"
)

// ingestPath is where OTLP/HTTP senders post logs.
const ingestPath = "/v1/logs"

// ingestFlags are the flags of who may send logs to a server, and of how they are put.
type ingestFlags struct {
	token  string // file
	linger time.Duration
}

// bucketLinger is how long what arrives is gathered before it is put where the archive is a bucket: each put is paid for. It
// leaves room for a put of half a second below 3 s from write to searchable (docs/benchmarks.md).
const bucketLinger = 500 * time.Millisecond

func (i *ingestFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&i.token, "ingest-token-file", "", "`file` with the bearer token that senders of logs must know (default: the token of an administrator, if there is authentication)")
	f.DurationVar(&i.linger, "ingest-linger", 0, "how long what arrives is gathered before it is made durable and acknowledged; longer is fewer puts (default 200ms, 500ms if the archive is a bucket)")
}

// open makes the way in of a node.
func (i *ingestFlags) open(n *node, who *auth.Auth) (*ingest.Handler, error) {
	if i.linger < 0 || i.linger > 10*time.Second {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "--ingest-linger 500ms", "--ingest-linger %s is not between 0 and 10s", i.linger)
	}
	cfg := ingest.Config{Ingester: n.indexer, Logger: n.cfg.log, Linger: i.linger}
	if cfg.Linger == 0 && n.blobs.dir == "" {
		cfg.Linger = bucketLinger
	}
	if n.shared() {
		cfg.Replica = n.id
	}
	switch {
	case i.token != "":
		secret, err := auth.ReadSecret(i.token)
		if err != nil {
			return nil, fmt.Errorf("--ingest-token-file: %w", err)
		}
		cfg.Allow = func(r *http.Request) error { return knows(r, secret) }
	case who.Required():
		cfg.Allow = func(r *http.Request) error {
			actor, err := who.Authenticate(r)
			if err != nil {
				return err
			}
			if !actor.Role.AtLeast(lastnight.RoleAdmin) {
				return lastnight.Errorf(lastnight.CodeForbidden, "--ingest-token-file gives collectors a token of their own", "only administrators may send logs")
			}
			return nil
		}
	}
	return ingest.New(cfg), nil
}

// knows tells whether a request has the bearer token.
func knows(r *http.Request, secret []byte) error {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || subtle.ConstantTimeCompare([]byte(token), secret) != 1 {
		return lastnight.Errorf(lastnight.CodeUnauthenticated, "send the header Authorization: Bearer TOKEN", "senders of logs need a token")
	}
	return nil
}

// withIngest puts the way in beside the API.
func withIngest(api http.Handler, in *ingest.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == ingestPath {
			in.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}
