package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"time"

	"lastnight"
)

const (
	sessionCookie = "lastnight_session"
	secureCookie  = "__Host-lastnight_session" // browsers take it only over TLS, for this host and all paths
	maxSessions   = 10_000
	maxGroupBytes = 32 << 10 // that a session keeps
)

// Keeper keeps small values with their versions; see store.Exact, of which it is one bucket.
type Keeper interface {
	// Get gives a value, or an error of CodeNotFound.
	Get(ctx context.Context, key string) ([]byte, error)
	// Put sets a value if its version is ifVersion (0: must not exist; -1: whatever), or CodeConflict.
	Put(ctx context.Context, key string, value []byte, ifVersion int64) error
	// Delete removes a value; an unknown one is no error.
	Delete(ctx context.Context, key string) error
	// List streams keys and values, by key, of keys that begin with prefix.
	List(ctx context.Context, prefix string) iter.Seq2[KeyValue, error]
}

// KeyValue is an item of a Keeper.
type KeyValue struct {
	Key   string
	Value []byte
}

// Sessions keeps who is signed in. The cookie holds 256 random bits, the keeper their hash: who
// reads the keeper's disk can't take over a session. A session ends when its time is over, when
// its person signs out, and when the token that it began with is struck off. It may be used by
// any number of goroutines, and by several servers on one keeper.
type Sessions struct {
	keep     Keeper
	lifetime time.Duration
	secure   bool
	now      func() time.Time
}

// NewSessions makes them. secure: browsers reach the server over TLS.
func NewSessions(keep Keeper, lifetime time.Duration, secure bool) *Sessions {
	return &Sessions{keep: keep, lifetime: lifetime, secure: secure, now: time.Now}
}

// session is one as it is kept.
type session struct {
	Name    string    `json:"name"`
	Via     string    `json:"via"`
	Groups  []string  `json:"groups,omitempty"` // via oidc
	Token   []byte    `json:"token,omitempty"`  // via token: the hash in the file
	Expires time.Time `json:"expires"`
}

func (s *Sessions) cookie() string {
	if s.secure {
		return secureCookie
	}
	return sessionCookie
}

func sessionKey(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "session/" + hex.EncodeToString(sum[:])
}

// begin signs somebody in, whose earlier session in this browser ends.
func (s *Sessions) begin(w http.ResponseWriter, r *http.Request, se session) error {
	n := 0
	for _, g := range se.Groups {
		n += len(g)
	}
	if n > maxGroupBytes {
		return lastnight.Errorf(lastnight.CodeTooLarge, "let the provider send only groups that matter here", "the groups have more than %d bytes", maxGroupBytes)
	}
	if err := s.sweep(r.Context()); err != nil {
		return err
	}
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	id := base64.RawURLEncoding.EncodeToString(b)
	se.Expires = s.now().Add(s.lifetime).UTC()
	v, err := json.Marshal(se)
	if err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	if err := s.end(w, r); err != nil {
		return err
	}
	if err := s.keep.Put(r.Context(), sessionKey(id), v, 0); err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	w.Header().Del("Set-Cookie") // of the session that ended
	s.set(w, s.cookie(), id, se.Expires)
	return nil
}

// set sets a cookie that scripts can't read and pages of other sites can't use to change anything.
func (s *Sessions) set(w http.ResponseWriter, name, value string, expires time.Time) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure is set where browsers come over TLS
		Name: name, Value: value, Path: "/", Expires: expires, MaxAge: max(int(expires.Sub(s.now()).Seconds()), -1),
		HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode,
	})
}

// unset removes a cookie.
func (s *Sessions) unset(w http.ResponseWriter, name string) {
	s.set(w, name, "", time.Unix(1, 0))
}

// find gives the session of the request's cookie; false if there is none, or none any more.
func (s *Sessions) find(r *http.Request) (session, bool, error) {
	c, err := r.Cookie(s.cookie())
	if err != nil || c.Value == "" {
		return session{}, false, nil
	}
	if len(c.Value) > maxTokenBytes {
		return session{}, false, nil
	}
	v, err := s.keep.Get(r.Context(), sessionKey(c.Value))
	if lastnight.CodeOf(err) == lastnight.CodeNotFound {
		return session{}, false, nil
	}
	if err != nil {
		return session{}, false, fmt.Errorf("find a session: %w", err)
	}
	var se session
	if err := json.Unmarshal(v, &se); err != nil {
		return session{}, false, fmt.Errorf("find a session: %w", err)
	}
	return se, s.now().Before(se.Expires), nil
}

// end signs the request's session out and takes the cookie away.
func (s *Sessions) end(w http.ResponseWriter, r *http.Request) error {
	c, err := r.Cookie(s.cookie())
	if err != nil {
		return nil //nolint:nilerr // no cookie: nothing to end
	}
	if err := s.keep.Delete(r.Context(), sessionKey(c.Value)); err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	s.unset(w, s.cookie())
	return nil
}

// sweep removes sessions that are over, and refuses when there are too many.
func (s *Sessions) sweep(ctx context.Context) error {
	n := 0
	var over []string
	for kv, err := range s.keep.List(ctx, "session/") {
		if err != nil {
			return fmt.Errorf("list sessions: %w", err)
		}
		var se session
		if json.Unmarshal(kv.Value, &se) != nil || !s.now().Before(se.Expires) {
			over = append(over, kv.Key)
			continue
		}
		n++
	}
	for _, key := range over {
		if err := s.keep.Delete(ctx, key); err != nil {
			return fmt.Errorf("remove a session: %w", err)
		}
	}
	if n >= maxSessions {
		return lastnight.Errorf(lastnight.CodeUnavailable, "sign out elsewhere, or wait until sessions expire", "%d people are signed in", n)
	}
	return nil
}

// loginKey gives the key that cookies of sign-ins under way are sealed with, the same on all servers.
func (s *Sessions) loginKey(ctx context.Context) ([]byte, error) {
	const name = "key/login"
	v, err := s.keep.Get(ctx, name)
	if lastnight.CodeOf(err) != lastnight.CodeNotFound {
		return v, err
	}
	v = make([]byte, 32)
	if _, err := rand.Read(v); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	if err := s.keep.Put(ctx, name, v, 0); lastnight.CodeOf(err) == lastnight.CodeConflict {
		return s.keep.Get(ctx, name)
	} else if err != nil {
		return nil, fmt.Errorf("keep a key: %w", err)
	}
	return v, nil
}
