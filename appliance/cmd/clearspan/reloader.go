package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"

	"github.com/clearspan/clearspan/appliance"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/control"
)

// reloader returns what reads the configuration again, for SIGHUP and for operators. file
// is "" if there is none.
func reloader(load func() (*config.Config, error), file string, log *slog.Logger) appliance.Reloader {
	return func(_ context.Context, a *appliance.Appliance) (control.Reloaded, error) {
		cfg, err := load()
		if err == nil {
			var done control.Reloaded
			if done, err = a.Reload(cfg); err == nil {
				return done, nil
			}
			err = diagnose(file, cfg, err)
		}
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w (a running clearspan opens only what is in the directories of files that its configuration named at the start: others need a restart)", err)
		}
		log.Error("configuration unchanged", "err", err)
		return control.Reloaded{}, configurationProblem(err)
	}
}

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
