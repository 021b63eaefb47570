// Package labels keeps what people know of failures: a root cause and advice that
// somebody attached once to a template or a signature explains every past and future
// occurrence.
//
//	change ─▶ Store (append only) ─▶ memory: labels, rules by what they match
//	                                    │
//	incident, when it is read ─▶ Explain ─▶ the same incident, explained by the label
//
// Nothing is written into incidents: a label applies when a diagnosis is read, so it holds for
// what happened before it and for what arrives later, and stops when it is retired. Of several
// that match, one wins by fixed rules (see rule.before): approved before proposed, what says more
// before what says less, the template itself before those it was linked with, then the id.
//
// Templates are followed. Two ids are one template if the clusterer linked them (one grew into
// the other) or a person merged them; a split by hand cuts a link and holds for new records too.
//
// History: every change is a new item under the key ID@VERSION that must not exist yet. That is
// what makes concurrent editors safe (the second one gets a conflict with both versions) and what
// survives kill -9: a change is there whole or not at all, and nothing is overwritten.
//
// Limits: 200,000 labels, fields and lists as check.go says, files of labels as reader.go says.
// All current labels are in memory, their history is not. A Store that fails makes the call fail
// and changes nothing; what was appended by another process is found when it conflicts, or by Refresh.
package labels
