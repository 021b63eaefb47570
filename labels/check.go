package labels

import (
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"lastnight"
)

// What a label may have, in bytes and items.
const (
	maxLabels  = 200_000
	maxID      = 80
	maxTitle   = 300
	maxAdvice  = 16 << 10
	maxLinks   = 20
	maxLink    = 2000
	maxWhy     = 2000
	maxName    = 300     // of a class, a reason, an owner
	maxParts   = 20      // of one kind in a signature
	maxText    = 2 << 10 // of a template, as it is kept with a label
	maxVersion = 1_000_000
)

var (
	states     = []lastnight.LabelState{lastnight.LabelDraft, lastnight.LabelProposed, lastnight.LabelApproved, lastnight.LabelRetired}
	severities = []string{"critical", "high", "medium", "low", "info"}
	idForm     = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	reserved   = []string{"export", "import", "preview", "settings"} // they are routes
)

// fault is one thing that is wrong with a label: in which field, and what.
type fault struct{ field, what string }

func (f *fault) Error() string { return f.field + " " + f.what }

func invalid(err error) error {
	return lastnight.Errorf(lastnight.CodeInvalid, "docs/labels.md says what a label has", "%w", err)
}

// checkLabel tells the first thing that is wrong with what a person may set, or nil.
func checkLabel(l *lastnight.Label) *fault {
	for _, f := range []struct {
		name, value string
		most        int
	}{
		{"title", l.Title, maxTitle}, {"cause", l.Cause, maxID}, {"severity", l.Severity, maxName}, {"layer", l.Layer, maxName}, {"owner", l.Owner, maxName},
	} {
		if err := checkLine(f.name, f.value, f.most); err != nil {
			return err
		}
	}
	switch {
	case l.ID != "" && (len(l.ID) > maxID || !idForm.MatchString(l.ID)):
		return &fault{"id", fmt.Sprintf("%.100q is not made of at most %d lower case letters, digits and single dashes", l.ID, maxID)}
	case slices.Contains(reserved, l.ID):
		return &fault{"id", fmt.Sprintf("%q is reserved", l.ID)}
	case l.Title == "" && l.Cause == "":
		return &fault{"title", "or cause must be given"}
	case l.Cause != "" && !idForm.MatchString(l.Cause):
		return &fault{"cause", fmt.Sprintf("%.100q is not made of lower case letters, digits and single dashes", l.Cause)}
	case l.Severity != "" && !slices.Contains(severities, l.Severity):
		return &fault{"severity", fmt.Sprintf("%.100q is none of %s", l.Severity, strings.Join(severities, ", "))}
	case len(l.Advice) > maxAdvice:
		return &fault{"advice", fmt.Sprintf("has %d bytes, at most %d", len(l.Advice), maxAdvice)}
	case !utf8.ValidString(l.Advice) || strings.ContainsRune(l.Advice, 0):
		return &fault{"advice", "has bytes that are no text"}
	case len(l.Links) > maxLinks:
		return &fault{"links", fmt.Sprintf("are %d, at most %d", len(l.Links), maxLinks)}
	}
	for _, s := range l.Links {
		u, err := url.Parse(s)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || len(s) > maxLink || checkLine("links", s, maxLink) != nil {
			return &fault{"links", fmt.Sprintf("%.200q is no http or https address", s)}
		}
	}
	return checkTarget(&l.Target)
}

// checkLine refuses what is no single line of text.
func checkLine(name, s string, most int) *fault {
	switch {
	case len(s) > most:
		return &fault{name, fmt.Sprintf("has %d bytes, at most %d", len(s), most)}
	case !utf8.ValidString(s), strings.ContainsFunc(s, unicode.IsControl):
		return &fault{name, "is no single line of text"}
	case strings.TrimSpace(s) != s:
		return &fault{name, "begins or ends with a blank"}
	}
	return nil
}

func checkTarget(t *lastnight.LabelTarget) *fault {
	switch {
	case (t.Template == nil) == (t.Signature == nil):
		return &fault{"target", "must be a template or a signature, and not both"}
	case t.Template != nil:
		return checkTemplate("template", t.Template)
	}
	s := t.Signature
	n := len(s.Templates) + len(s.Exceptions) + len(s.Reasons) + len(s.ExitCodes)
	switch {
	case n == 0 && s.Layer == "":
		return &fault{"signature", "must have a template, an exception, a reason, an exit code or a layer"}
	case len(s.Templates) > maxParts || len(s.Exceptions) > maxParts || len(s.Reasons) > maxParts || len(s.ExitCodes) > maxParts:
		return &fault{"signature", fmt.Sprintf("has more than %d parts of a kind", maxParts)}
	}
	for i := range s.Templates {
		if err := checkTemplate("signature", &s.Templates[i]); err != nil {
			return err
		}
	}
	for _, p := range slices.Concat(s.Exceptions, s.Reasons) {
		if p == "" {
			return &fault{"signature", "has an empty part"}
		}
		if err := checkLine("signature", p, maxName); err != nil {
			return err
		}
	}
	for _, c := range s.ExitCodes {
		if c < 1 || c > 255 {
			return &fault{"signature", fmt.Sprintf("has the exit code %d, which is not from 1 to 255", c)}
		}
	}
	for _, p := range []string{s.Layer, s.Namespace, s.Job} {
		if err := checkLine("signature", p, maxName); err != nil {
			return err
		}
	}
	return nil
}

func checkTemplate(name string, t *lastnight.TemplateRef) *fault {
	if t.ID == "" {
		return &fault{name, "has no id"}
	}
	if err := checkLine(name, t.ID, maxID); err != nil {
		return err
	}
	if len(t.Text) > maxText || !utf8.ValidString(t.Text) {
		return &fault{name, fmt.Sprintf("has a text of more than %d bytes or of bytes that are no text", maxText)}
	}
	return nil
}

func checkWhy(why string) error {
	if len(why) > maxWhy || !utf8.ValidString(why) || strings.ContainsRune(why, 0) {
		return lastnight.Errorf(lastnight.CodeInvalid, "", "the reason has more than %d bytes, or bytes that are no text", maxWhy)
	}
	return nil
}

// content is what a label says, without what lastnight knows of it.
func content(l lastnight.Label) lastnight.Label {
	return lastnight.Label{
		ID: l.ID, Title: l.Title, Cause: l.Cause, Advice: l.Advice, Severity: l.Severity, Layer: l.Layer, Owner: l.Owner,
		ActionNeeded: l.ActionNeeded, Links: l.Links, Target: l.Target,
	}
}

// sameContent tells whether two labels say the same; what a template's text was is no part of that.
func sameContent(a, b *lastnight.Label) bool {
	x, y := content(*a), content(*b)
	x.Target, y.Target = withoutTexts(x.Target), withoutTexts(y.Target)
	if len(x.Links) == 0 && len(y.Links) == 0 {
		x.Links, y.Links = nil, nil
	}
	return reflect.DeepEqual(x, y)
}

func withoutTexts(t lastnight.LabelTarget) lastnight.LabelTarget {
	if t.Template != nil {
		return lastnight.LabelTarget{Template: &lastnight.TemplateRef{ID: t.Template.ID}}
	}
	if t.Signature == nil {
		return t
	}
	s := *t.Signature
	s.Templates = make([]lastnight.TemplateRef, len(s.Templates))
	for i, r := range t.Signature.Templates {
		s.Templates[i].ID = r.ID
	}
	for _, list := range []*[]string{&s.Exceptions, &s.Reasons} {
		*list = append([]string{}, *list...)
	}
	s.ExitCodes = append([]int{}, s.ExitCodes...)
	return lastnight.LabelTarget{Signature: &s}
}

// idOf makes a readable id of a title.
func idOf(title string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(title) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			dash = false
			b.WriteRune(r)
		default:
			dash = true
		}
		if b.Len() >= 50 {
			break
		}
	}
	id := strings.Trim(b.String(), "-")
	if id == "" || slices.Contains(reserved, id) {
		return strings.Trim("label-"+id, "-")
	}
	return id
}
