package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

const index = "index.html"

// handler serves files from memory. It is immutable once made.
type handler struct {
	files map[string]file // by path without the leading slash
}

// file is one file, ready to be sent.
type file struct {
	body    []byte
	gzipped []byte // nil if compressing does not make it smaller
	kind    string // media type
	tag     string // ETag, from the content
}

// newHandler reads all files of dist, which must have an index.html.
func newHandler(dist fs.FS) (*handler, error) {
	h := &handler{files: map[string]file{}}
	err := fs.WalkDir(dist, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		body, err := fs.ReadFile(dist, name)
		if err != nil {
			return err
		}
		h.files[name], err = newFile(name, body)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the built UI: %w", err)
	}
	if _, ok := h.files[index]; !ok {
		return nil, fmt.Errorf("read the built UI: no %s", index)
	}
	return h, nil
}

func newFile(name string, body []byte) (file, error) {
	sum := sha256.Sum256(body)
	f := file{body: body, kind: mediaType(name), tag: `"` + hex.EncodeToString(sum[:8]) + `"`}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return file{}, err
	}
	if _, err := w.Write(body); err != nil {
		return file{}, err
	}
	if err := w.Close(); err != nil {
		return file{}, err
	}
	if b.Len() < len(body) {
		f.gzipped = b.Bytes()
	}
	return f, nil
}

// mediaType has its own table: that of the system differs from machine to machine.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".json":
		return "application/json"
	case ".png":
		return "image/png"
	}
	return "application/octet-stream"
}

// ServeHTTP answers a file, or index.html for a path that is a screen of the UI.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) {
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	f, ok := h.files[name]
	if !ok {
		if isAsset(name) {
			http.NotFound(w, r)
			return
		}
		name, f = index, h.files[index]
	}
	header := w.Header()
	if strings.HasPrefix(name, "assets/") {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		header.Set("Cache-Control", "no-cache")
	}
	f.send(w, r)
}

// isAsset tells a file that is missing from a screen of the UI: a script that answers
// with a page breaks in odd ways. Only names at the top count, since a job's name may have dots.
func isAsset(name string) bool {
	return strings.HasPrefix(name, "assets/") || (!strings.Contains(name, "/") && strings.Contains(name, "."))
}

func (f *file) send(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.kind)
	header.Set("Vary", "Accept-Encoding")
	header.Set("ETag", f.tag)
	secure(header)
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.body
	if f.gzipped != nil && acceptsGzip(r) {
		header.Set("Content-Encoding", "gzip")
		body = f.gzipped
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	// The reader may have gone; nobody is left to tell.
	_, _ = w.Write(body)
}

func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if name == "gzip" {
			q := strings.TrimSpace(params)
			return q != "q=0" && q != "q=0.0"
		}
	}
	return false
}

// readOnly refuses methods that change something.
func readOnly(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, "only GET and HEAD here", http.StatusMethodNotAllowed)
	return false
}

func secure(header http.Header) {
	header.Set("Content-Security-Policy", ContentSecurityPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
}

// placeholderPage is what / says when the UI was not built.
const placeholderPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>lastnight</title></head>
<body><h1>lastnight is running, without its UI</h1>
<p>This binary was built without the web UI. To get it, install Node 20 or later, run <code>make ui build</code> in the source tree and start lastnight again.</p>
<p>The API works: <a href="/api/v1/incidents?start=now-24h">incidents of the last 24 hours</a>, <a href="/api/v1/jobs">jobs</a>.
So does the terminal: <code>lastnight incidents</code>, <code>lastnight why JOB</code>.</p></body></html>
`

// servePlaceholder says on / how to build the UI; every other path is not found.
func servePlaceholder(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) {
		return
	}
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Content-Type", mediaType(index))
	header.Set("Cache-Control", "no-cache")
	secure(header)
	if r.Method == http.MethodGet {
		_, _ = w.Write([]byte(placeholderPage))
	}
}
