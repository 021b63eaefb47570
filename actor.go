package lastnight

import (
	"context"
	"slices"
)

// Role says what a person or program may do. Each role may do what those before it may.
type Role string

// The roles, least first. "" is somebody who is known but was granted nothing.
const (
	RoleNone     Role = ""
	RoleViewer   Role = "viewer"   // reads
	RoleLabeler  Role = "labeler"  // drafts and proposes labels, says whether a diagnosis was right
	RoleReviewer Role = "reviewer" // approves and retires labels, merges templates
	RoleAdmin    Role = "admin"    // imports labels, reads the audit log
)

// Roles lists the roles that can be granted, least first.
func Roles() []Role { return []Role{RoleViewer, RoleLabeler, RoleReviewer, RoleAdmin} }

// AtLeast tells whether r may do what least may. An unknown role may do nothing.
func (r Role) AtLeast(least Role) bool {
	have, want := slices.Index(Roles(), r), slices.Index(Roles(), least)
	return have >= 0 && have >= want && (want >= 0 || least == RoleNone)
}

// EveryNamespace among an actor's namespaces stands for all of them, and for what belongs to none.
const EveryNamespace = "*"

// Actor is who asks. It is immutable once made.
type Actor struct {
	Name       string   `json:"name"` // "" on a server without authentication, as long as nobody gave one
	Role       Role     `json:"role"`
	Namespaces []string `json:"namespaces"` // that may be read; none: nothing
	Via        string   `json:"via"`        // how it is known: token, header, oidc, local, chat
}

// SeesAll tells whether the actor may read every namespace, and what belongs to none, such as events of nodes.
func (a Actor) SeesAll() bool { return slices.Contains(a.Namespaces, EveryNamespace) }

// Sees tells whether the actor may read a namespace; "" is what belongs to none.
func (a Actor) Sees(namespace string) bool {
	return a.SeesAll() || namespace != "" && slices.Contains(a.Namespaces, namespace)
}

type actorKey struct{}

// WithActor gives a context of a question of that actor.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf tells who asks; false if nobody said. What is not asked over the API (a command on its
// own data directory, background work) has no actor.
func ActorOf(ctx context.Context) (Actor, bool) {
	a, ok := ctx.Value(actorKey{}).(Actor)
	return a, ok
}
