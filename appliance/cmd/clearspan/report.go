package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/here"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// errSaid is the error of a command that has said why it fails.
var errSaid = errors.New("")

// fault is an error or a warning of a check. Line and Column count from 1; without a
// place they are 0.
type fault struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

// report is what check found.
type report struct {
	File      string   `json:"file"`
	OK        bool     `json:"ok"`
	Errors    []fault  `json:"errors"`
	Warnings  []fault  `json:"warnings"`
	OpenDoors []string `json:"open_doors"`

	summary string
	places  *config.Locator // made when it is needed
}

// add notes an error: each of several on its own.
func (r *report) add(err error) {
	switch e := err.(type) {
	case nil:
	case config.Errors:
		for _, one := range e {
			r.Errors = append(r.Errors, fault{one.File, one.Line, one.Col, one.Message})
		}
	case *policy.ListError:
		r.Errors = append(r.Errors, fault{e.File, e.Line, e.Col, e.Err.Error()})
	case *exitError:
		r.add(e.err)
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			r.add(one)
		}
	default:
		r.Errors = append(r.Errors, fault{Message: err.Error()})
	}
}

// at returns a fault with the place that keys lead to.
func (r *report) at(message string, keys []string) fault {
	if r.places == nil {
		r.places = config.NewLocator(r.File)
	}
	if e, ok := r.places.Find(message, keys...); ok {
		return fault{e.File, e.Line, e.Col, e.Message}
	}
	return fault{Message: message}
}

func (r *report) warn(list []config.Warning) {
	for _, w := range list {
		r.Warnings = append(r.Warnings, r.at(w.Message, w.Keys))
	}
}

// look compares the machine with the configuration.
func (r *report) look(ctx context.Context, cfg *config.Config) {
	_, runs := running(cfg.State)
	for _, f := range here.Look(ctx, cfg, runs) {
		one := r.at(f.Message, f.Keys)
		if f.Warning {
			r.Warnings = append(r.Warnings, one)
		} else {
			r.Errors = append(r.Errors, one)
		}
	}
}

// finish orders what was found. good tells that cfg is a whole configuration.
func (r *report) finish(cfg *config.Config, good bool) {
	for _, list := range [][]fault{r.Errors, r.Warnings} {
		slices.SortStableFunc(list, func(a, b fault) int {
			if ours := a.File == r.File; ours != (b.File == r.File) || !ours {
				return cmp.Compare(b2i(!ours), b2i(b.File != r.File)) // others stay in their order
			}
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
	}
	r.OK = len(r.Errors) == 0
	if good {
		r.OpenDoors = cfg.OpenDoors()
		r.summary = fmt.Sprintf("%s, %s, %s", count(len(cfg.Intakes), "intake"), count(len(cfg.Policy.Rules), "rule"), count(len(cfg.Mirrors), "mirror"))
	}
	r.Errors, r.Warnings = append([]fault{}, r.Errors...), append([]fault{}, r.Warnings...) // [] in JSON, not null
	r.OpenDoors = append([]string{}, r.OpenDoors...)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// writeText writes faults on standard error, and the summary of a good file on standard
// output.
func (r *report) writeText(cmd *cobra.Command) {
	w := newFaultWriter(cmd.ErrOrStderr())
	for _, f := range r.Errors {
		w.write(f, "")
	}
	for _, f := range r.Warnings {
		w.write(f, "warning: ")
	}
	if !r.OK {
		return
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: ok (%s)\n", r.File, r.summary)
	for _, door := range r.OpenDoors {
		fmt.Fprintln(cmd.OutOrStdout(), "open door:", door)
	}
}

// count returns a number of things, such as "1 rule" and "2 rules".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
