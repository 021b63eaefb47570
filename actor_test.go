package lastnight

import (
	"testing"
)

func TestRoleAtLeast(t *testing.T) {
	t.Parallel()
	all := append([]Role{RoleNone}, Roles()...)
	for i, have := range all {
		for j, least := range all {
			want := i >= j && have != RoleNone
			if got := have.AtLeast(least); got != want {
				t.Errorf("%q at least %q: %v, want %v", have, least, got, want)
			}
		}
	}
	for _, unknown := range []Role{"root", "Admin", "viewer "} {
		if unknown.AtLeast(RoleViewer) || RoleAdmin.AtLeast(unknown) {
			t.Errorf("the unknown role %q stands for something", unknown)
		}
	}
}

func TestActorSees(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		namespaces []string
		namespace  string
		want       bool
	}{
		{nil, "a", false},
		{nil, "", false},
		{[]string{"a"}, "a", true},
		{[]string{"a"}, "b", false},
		{[]string{"a"}, "", false},
		{[]string{""}, "", false},
		{[]string{"a", "*"}, "b", true},
		{[]string{"*"}, "", true},
	} {
		if got := (Actor{Namespaces: c.namespaces}).Sees(c.namespace); got != c.want {
			t.Errorf("%q sees %q: %v", c.namespaces, c.namespace, got)
		}
	}
	if _, ok := ActorOf(t.Context()); ok {
		t.Error("an actor out of nowhere")
	}
	if a, ok := ActorOf(WithActor(t.Context(), Actor{Name: "ann"})); !ok || a.Name != "ann" {
		t.Errorf("got %v, %v", a, ok)
	}
}
