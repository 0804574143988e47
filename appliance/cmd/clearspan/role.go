package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance"
	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/keeper"
	"github.com/clearspan/clearspan/appliance/keeper/role"
	"github.com/clearspan/clearspan/appliance/privilege"
	"github.com/clearspan/clearspan/appliance/privilege/rights"
	"github.com/clearspan/clearspan/appliance/recorder/extractor"
	"github.com/clearspan/clearspan/appliance/screen"
)

// roles are the processes that a keeper or a recorder starts. Their rights are in [rights.Roles].
var roles = map[string]func() error{
	rights.Worker.Name: func() error {
		if code := role.Main(worker, explainFailure); code != 0 {
			return &exitError{code, errSilent} // the keeper tells why
		}
		return nil
	},
	rights.Recorder.Name:  attendedRecorder,
	rights.Extractor.Name: extractor.Main,
}

// roleCommand is for the keeper alone.
func roleCommand() *cobra.Command {
	return &cobra.Command{
		Use: "role NAME", Hidden: true, Args: takes("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			f, ok := roles[args[0]]
			if !ok {
				return badConfig(fmt.Errorf("unknown role %q", args[0]))
			}
			return f()
		},
	}
}

// worker serves sessions.
func worker(ctx context.Context, p *role.Process) error {
	if err := privilege.Harden(); err != nil {
		return err
	}
	var s start
	if err := json.Unmarshal(p.Options, &s); err != nil {
		return fmt.Errorf("options of the keeper: %w", err)
	}
	log, err := newLogger(s.Level)
	if err != nil {
		return badConfig(err)
	}
	cfg, err := s.parse(p.Configuration)
	if err != nil {
		return err
	}
	if p.Check {
		if err := checkConfig(s.File, cfg); err != nil {
			return badConfig(err)
		}
		return p.Ready(version)
	}
	finish, err := startProfile(s.Profile)
	if err != nil {
		return err
	}
	options := []appliance.Option{
		appliance.WithRecentLog(recentLog.String),
		appliance.WithProcess(p, func(a *appliance.Appliance, text []byte) role.Result { return s.reload(a, text, log) }),
		appliance.WithReloader(absolute(s.File), func(ctx context.Context, _ *appliance.Appliance) (control.Reloaded, error) {
			return askReload(ctx, p, absolute(s.File))
		}),
	}
	if p.Prompts {
		options = append(options, appliance.WithPrompt(func() (string, error) {
			a, err := p.Ask(ctx, role.AskPassphrase)
			if err != nil {
				return "", err
			}
			return a.Text, nil
		}))
	}
	if s.Screen {
		options = append(options, appliance.WithScreen(screen.New(os.Stderr)))
	}
	a, err := appliance.New(cfg, version, log, options...)
	if err != nil {
		return remedy(s.File, cfg, err)
	}
	left, err := rights.Confine(&rights.Worker, cfg, s.File)
	if err == nil {
		err = p.Confined()
	}
	if err != nil {
		a.Close()
		return err
	}
	log.Info("privileges dropped", "user", left.User, "kept", left.Capabilities(), "files", bounded(left.Files), "system_calls", bounded(left.Calls))
	for _, lack := range left.Lacks {
		log.Warn("privileges kept", "err", lack)
	}
	defer context.AfterFunc(ctx, a.Kill)()
	return errors.Join(a.Run(context.Background(), cfg.Drain), finish())
}

// reload puts a configuration in force that the keeper sends.
func (s start) reload(a *appliance.Appliance, text []byte, log *slog.Logger) role.Result {
	cfg, err := s.parse(text)
	if err == nil {
		var done control.Reloaded
		if done, err = a.Reload(cfg); err == nil {
			return role.Result{Changed: done.Changed, Restart: done.Restart}
		}
		err = diagnose(s.File, cfg, err)
	}
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w (a running clearspan opens only what is in the directories of files that its configuration named at the start: others need a restart)", err)
	}
	code, detail := explainFailure(err)
	return role.Result{Error: err.Error(), Code: code, Detail: detail}
}

// askReload has the keeper read the configuration again.
func askReload(ctx context.Context, p *role.Process, file string) (control.Reloaded, error) {
	answer, err := p.Ask(ctx, role.AskReload)
	if err != nil {
		return control.Reloaded{}, err
	}
	r := answer.Result
	if r == nil {
		return control.Reloaded{}, errors.New("the keeper gave no result")
	}
	if r.Error == "" {
		return control.Reloaded{File: file, Changed: append([]string{}, r.Changed...), Restart: append([]string{}, r.Restart...), Worker: r.Worker}, nil
	}
	if r.Error == keeper.ErrEnded.Error() {
		return control.Reloaded{}, errors.New(r.Error)
	}
	problem := control.NewProblem(control.TypeConfiguration, r.Error)
	if len(r.Detail) > 0 {
		json.Unmarshal(r.Detail, problem) // else the text has to do
	}
	return control.Reloaded{}, problem
}
