package lastnight

import (
	"context"
	"io"
	"time"
)

// Labeler is what people do with what they know: label, review, merge, answer whether a
// diagnosis was right. Who does it is in the context (WithActor). Errors are of CodeUnauthenticated or
// CodeForbidden where a name or a role is missing.
type Labeler interface {
	LabelReader
	LabelWriter
	LabelExchange
	TemplateMerger
	LabelQueue
	Feedbacker
}

// LabelReader reads labels.
type LabelReader interface {
	// Labels lists labels by id.
	Labels(ctx context.Context, req LabelsRequest) ([]Label, error)
	// Label gives one, or an error of CodeNotFound whose hint has near ids.
	Label(ctx context.Context, id string) (*Label, error)
	// LabelHistory gives all changes, oldest first.
	LabelHistory(ctx context.Context, id string) ([]LabelChange, error)
	// LabelSettings gives the settings.
	LabelSettings(ctx context.Context) (LabelSettings, error)
	// Causes lists the catalogue of causes, by id.
	Causes(ctx context.Context) ([]Cause, error)
}

// LabelWriter changes labels. version is the one that the change was made of: if the
// label has another by now, the error is of CodeConflict and its cause a *LabelConflict.
type LabelWriter interface {
	// CreateLabel makes a draft (l.State empty or LabelDraft) or a proposal. l.ID may be empty: it comes from the title.
	CreateLabel(ctx context.Context, l Label, why string) (*Label, error)
	// EditLabel sets what a label says (not its state, which becomes LabelProposed if it was approved).
	EditLabel(ctx context.Context, l Label, version int, why string) (*Label, error)
	// ReviewLabel moves a label to another state: propose, approve, reject, review, retire or restore.
	ReviewLabel(ctx context.Context, id string, version int, action LabelAction, why string) (*Label, error)
	// UndoLabel makes a new version that says what version to said; 0: the one before the last.
	UndoLabel(ctx context.Context, id string, version, to int, why string) (*Label, error)
	// SetLabelSettings changes the settings (RoleAdmin).
	SetLabelSettings(ctx context.Context, s LabelSettings) error
}

// LabelExchange carries labels and merges in and out as YAML (docs/formats/labels-yaml.md).
type LabelExchange interface {
	// ExportLabels writes all of them, in the same order whenever they are the same.
	ExportLabels(ctx context.Context, w io.Writer) error
	// ImportLabels reads what ExportLabels or a person wrote. What is damaged changes nothing; the error
	// says where. The same file again changes nothing.
	ImportLabels(ctx context.Context, r io.Reader, req ImportRequest) (*ImportResult, error)
}

// TemplateMerger merges and splits templates by hand, and shows one.
type TemplateMerger interface {
	// MergeTemplates makes the templates from become into; preview only tells what that would touch.
	MergeTemplates(ctx context.Context, req MergeRequest) (*MergePreview, error)
	// SplitTemplate splits off what has the given text; preview only tells what that would touch.
	SplitTemplate(ctx context.Context, req SplitRequest) (*MergePreview, error)
	// UndoMerge undoes a merge or split by its id.
	UndoMerge(ctx context.Context, id, why string) (*TemplateMerge, error)
	// Merges lists merges and splits, oldest first, undone ones too.
	Merges(ctx context.Context) ([]TemplateMerge, error)
	// TemplateDetail shows a template with samples from namespaces that may be seen. CodeNotFound.
	TemplateDetail(ctx context.Context, id string) (*TemplateDetail, error)
}

// LabelQueue says what is worth labeling.
type LabelQueue interface {
	// Queue lists unlabeled templates and unexplained incidents, those with the most impact first.
	Queue(ctx context.Context, req QueueRequest) ([]QueueItem, error)
	// Coverage tells which share of the failovers is explained.
	Coverage(ctx context.Context, req CoverageRequest) (*Coverage, error)
	// Preview tells which incidents of the last 90 days a label would explain, made or not.
	PreviewLabel(ctx context.Context, l Label) (*LabelPreview, error)
}

// Feedbacker keeps what people say of diagnoses.
type Feedbacker interface {
	// PutFeedback keeps who asks' answer on an incident's diagnosis; a later one counts instead of an earlier one.
	PutFeedback(ctx context.Context, f Feedback) (*Feedback, error)
	// Feedback lists what was said of an incident, oldest first.
	Feedback(ctx context.Context, incident string) ([]Feedback, error)
	// Precision tells how often each label and each cause was right, by kind and id.
	Precision(ctx context.Context) ([]Precision, error)
}

// LabelsRequest says which labels. Empty fields do not restrict.
type LabelsRequest struct {
	States   []LabelState
	Text     string // in id, title, cause, advice or author, in any case
	Template string // labels of this template, and of those that it became or that became it
	After    string // ids after this one
	Limit    int    // at most so many; 0: no limit
}

// LabelSettings is how labels are kept. Zero fields of numbers take the default.
type LabelSettings struct {
	OnePerson       bool    `json:"one_person"`       // who wrote a label may approve it too; default: a second person must
	ProposedExplain bool    `json:"proposed_explain"` // proposed labels explain too; default: only approved ones
	MinPrecision    float64 `json:"min_precision"`    // a label below returns to review; in (0, 1], default 0.5
	MinVotes        int     `json:"min_votes"`        // but not with fewer answers; default 5
}

// ImportRequest says how to import.
type ImportRequest struct {
	Name   string // of the file, for errors
	DryRun bool   // say what would change
	Why    string
}

// ImportResult is what an import changed, or would change.
type ImportResult struct {
	DryRun    bool     `json:"dry_run"`
	Created   []string `json:"created"` // ids
	Changed   []string `json:"changed"`
	Unchanged int      `json:"unchanged"`
	Merges    int      `json:"merges"` // merges and splits made
}

// MergeRequest asks to merge templates.
type MergeRequest struct {
	From    []string `json:"from"`
	Into    string   `json:"into"`
	Why     string   `json:"why,omitempty"`
	Preview bool     `json:"-"`
}

// SplitRequest asks to split off what has Text: the template's text with values instead of some of its variables.
type SplitRequest struct {
	Template string `json:"-"`
	Text     string `json:"text"`
	Why      string `json:"why,omitempty"`
	Preview  bool   `json:"-"`
}

// TemplateDetail is a template and what is known of it.
type TemplateDetail struct {
	Template
	Became    string          `json:"became,omitempty"` // what it is now, links and merges followed; empty: itself
	Aliases   []string        `json:"aliases"`          // templates that were merged into it by hand
	Labels    []Label         `json:"labels"`
	Incidents []IncidentRef   `json:"incidents"` // that it took part in, newest first, at most 20
	Jobs      int             `json:"jobs"`      // with such incidents
	Failovers int             `json:"failovers"`
	Samples   []Document      `json:"samples"` // from namespaces that may be seen, newest first, at most 5
	Similar   []LabelProposal `json:"similar"`
}

// QueueRequest says which part of the queue. Start and End default to the last 30 days.
type QueueRequest struct {
	Kind       string // QueueTemplate, QueueIncident or "" for both
	Namespace  string
	Start, End time.Time
	Limit      int
}

// The kinds of queue items.
const (
	QueueTemplate = "template"
	QueueIncident = "incident"
)

// QueueItem is something worth labeling: a template, or incidents that are alike and unexplained.
type QueueItem struct {
	Kind      string          `json:"kind"`
	ID        string          `json:"id"`     // of the template, or of the newest of the incidents
	Title     string          `json:"title"`  // the template's text, or what failed
	Impact    float64         `json:"impact"` // failovers × jobs × recency (1 now, ½ a week ago)
	Failovers int             `json:"failovers"`
	Jobs      int             `json:"jobs"`
	Last      time.Time       `json:"last"`
	Explained int             `json:"explained"` // of the failovers: by the catalogue or another label
	Incidents []IncidentRef   `json:"incidents"` // newest first, at most 5
	Target    LabelTarget     `json:"target"`    // what a label on it would apply to
	Proposals []LabelProposal `json:"proposals"` // labels of what is similar, best first, at most 3
}

// LabelProposal is a label of something similar. Score is in [0, 1].
type LabelProposal struct {
	Label    LabelRef `json:"label"`
	Title    string   `json:"title"`
	Cause    string   `json:"cause,omitempty"`
	Template string   `json:"template_id,omitempty"`
	Text     string   `json:"text,omitempty"` // of the similar template
	Score    float64  `json:"score"`
}

// CoverageRequest says of which failovers. Start and End default to the last 30 days.
type CoverageRequest struct {
	Namespace, Job string
	Start, End     time.Time
}

// Coverage is how many failovers are explained, planned ones left out.
type Coverage struct {
	Interval    Interval `json:"interval"`
	Failovers   int      `json:"failovers"`
	Explained   int      `json:"explained"`
	ByLabel     int      `json:"by_label"` // of the explained
	ByCatalogue int      `json:"by_catalogue"`
	Share       float64  `json:"share"`   // explained of all, in [0, 1]; 1 if there were none
	Summary     string   `json:"summary"` // one sentence for people
}

// LabelPreview is what a label would explain.
type LabelPreview struct {
	Incidents []IncidentRef `json:"incidents"` // newest first, at most 100
	Matches   int           `json:"matches"`   // incidents that match in all
	Failovers int           `json:"failovers"`
	Replaces  int           `json:"replaces"` // of them explained otherwise now
}

// Feedback is what somebody said of a diagnosis.
type Feedback struct {
	Incident string    `json:"incident"`
	Answer   string    `json:"answer"`          // FeedbackYes, FeedbackNo or FeedbackOther
	Other    string    `json:"other,omitempty"` // the cause that it was, id or words
	Comment  string    `json:"comment,omitempty"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
	Label    string    `json:"label,omitempty"` // id of the label that the diagnosis named then
	Cause    string    `json:"cause,omitempty"` // and the cause
}

// The answers to "was this right?".
const (
	FeedbackYes   = "yes"
	FeedbackNo    = "no"
	FeedbackOther = "other"
)

// Precision is how often a label or a cause of the catalogue was right, by the last answer of each person on each incident.
type Precision struct {
	Kind      string  `json:"kind"` // label or cause
	ID        string  `json:"id"`
	Yes       int     `json:"yes"`
	No        int     `json:"no"` // other causes too
	Precision float64 `json:"precision"`
}
