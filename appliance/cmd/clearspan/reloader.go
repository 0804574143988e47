package main

import (
	"errors"
	"path/filepath"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/control"
)

// configurationProblem is err as operators get it, with the places of its faults.
func configurationProblem(err error) *control.Problem {
	p := control.NewProblem(control.TypeConfiguration, err.Error())
	if all, ok := errors.AsType[config.Errors](err); ok {
		for _, e := range all {
			p.Faults = append(p.Faults, control.Fault{File: e.File, Line: e.Line, Column: e.Col, Message: e.Message})
		}
	}
	return p
}

// absolute returns the absolute path of a file, "" for none.
func absolute(file string) string {
	if file == "" {
		return ""
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	return path
}
