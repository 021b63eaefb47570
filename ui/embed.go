// Package ui holds the web UI and serves it.
//
// The UI itself is written in TypeScript under src and built into dist by `make
// ui`. Only a placeholder of dist is tracked: a binary made without Node has no
// UI, says on / how to get one, and answers the API as ever.
//
// All state of the UI is in the address, so any path that is no file answers
// with index.html. Files under assets have a hash of their content in their names
// and may be kept for ever; everything else is asked for again each time.
// The files are held in memory (well below 1 MB), each also compressed.
package ui

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed all:dist
var embedded embed.FS

// ContentSecurityPolicy is sent with every page: scripts, styles and data come from
// this server alone, and nothing inline runs, so that log text cannot become a program.
const ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// FS gives the files of the built UI. It is false if the UI was not built into
// this binary; the files are then only the placeholder.
func FS() (fs.FS, bool) {
	dist, err := fs.Sub(embedded, "dist")
	if err != nil {
		return embedded, false
	}
	_, err = fs.Stat(dist, "index.html")
	return dist, err == nil
}

// Handler serves the UI, or a page that says how to build it. It answers GET and
// HEAD of every path, so mount it after the API's routes. It may be called at once
// from any number of goroutines.
func Handler() http.Handler {
	dist, ok := FS()
	if !ok {
		return http.HandlerFunc(servePlaceholder)
	}
	h, err := newHandler(dist)
	if err != nil { // An embedded file cannot fail to be read; say so rather than panic.
		return http.HandlerFunc(servePlaceholder)
	}
	return h
}
