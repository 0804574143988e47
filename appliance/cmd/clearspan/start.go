package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/clearspan/clearspan/appliance"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/keeper"
	"github.com/clearspan/clearspan/appliance/keeper/role"
	"github.com/clearspan/clearspan/appliance/privilege"
	"github.com/clearspan/clearspan/appliance/privilege/rights"
	"github.com/clearspan/clearspan/appliance/recording"
)

// start is what a run was asked for on its command line. The keeper hands it to workers.
type start struct {
	File    string        `json:"file,omitempty"`
	Quick   config.Quick  `json:"quick"`
	Level   string        `json:"level"`
	Profile string        `json:"profile,omitempty"`
	Drain   time.Duration `json:"drain"`            // or asConfigured
	Screen  bool          `json:"screen,omitempty"` // people look at standard error

	mover *mover       // of the keeper; nil if there is a file
	log   *slog.Logger // of the keeper
}

// asConfigured stands for a drain that the command line does not name.
const asConfigured = -1

// parse returns the configuration of a text: that of the file, or of [mover.read].
func (s *start) parse(text []byte) (cfg *config.Config, err error) {
	if s.File == "" {
		cfg, err = moved(s.Quick, text)
	} else {
		cfg, err = config.Parse(s.File, text, filepath.Dir(s.File))
	}
	if err != nil {
		return nil, badConfig(err)
	}
	if s.Drain >= 0 {
		cfg.Drain = s.Drain
	}
	return cfg, nil
}

// read reads the file.
func (s *start) read() ([]byte, error) {
	text, err := config.Read(s.File)
	if err != nil {
		return nil, badConfig(err)
	}
	return text, nil
}

// plan tells the keeper what a configuration needs of it.
func (s *start) plan(text []byte) (*keeper.Plan, error) {
	cfg, err := s.parse(text)
	if err != nil {
		return nil, err
	}
	if s.mover != nil {
		s.mover.remember(text)
	}
	p := appliance.NewPlan(cfg, text)
	p.Resources = append([]keeper.Resource{stateLock(cfg.State)}, p.Resources...)
	if r := recording.Companion(cfg, recording.Options{File: absolute(s.File), Text: text, Level: s.Level}, s.log); r != nil {
		p.Resources = append(p.Resources, *r)
	}
	p.Remedy = func(err error) error { return remedy(s.File, cfg, err) }
	return p, nil
}

// run is the keeper: it holds what outlives workers, and starts those.
func run(s *start, log *slog.Logger) error {
	inherited := keeper.Inherit()
	if err := privilege.Harden(); err != nil {
		return err
	}
	if err := privilege.Guard(); err != nil {
		log.Warn("privileges kept", "err", err)
	}
	options, err := json.Marshal(s)
	if err != nil {
		return err
	}
	s.log = log
	read := s.read
	if s.File == "" {
		s.mover = &mover{quick: s.Quick, log: log}
		read = s.mover.read
	}
	m := openManager(log)
	defer m.Close()
	var k *keeper.Keeper
	k = keeper.New(keeper.Config{
		Name: "clearspan", Program: "/proc/self/exe", Arguments: []string{"role", rights.Worker.Name}, Version: version,
		Read: read, MakePlan: s.plan, Options: options,
		Prompt: prompt("Passphrase of the authority's key: "), Inherited: inherited, Environ: m.Environ,
		Explain: explainFailure, Logger: log,
		Told: func(e keeper.Event) { m.told(k, e) },
	})
	if err := k.Run(); err != nil {
		if ended, ok := errors.AsType[*role.EndError](err); ok {
			return &exitError{ended.Code, err}
		}
		return err
	}
	return nil
}

// explainFailure returns the exit code of an error, and what operators are told beside
// it.
func explainFailure(err error) (code int, detail json.RawMessage) {
	code = exitRuntime
	if e, ok := errors.AsType[*exitError](err); ok {
		code = e.code
	}
	if code == exitConfig {
		detail, _ = json.Marshal(configurationProblem(err)) // texts and numbers
	}
	return code, detail
}

// moved returns the configuration of a start without a file. text says which addresses
// were replaced, see [mover].
func moved(quick config.Quick, text []byte) (*config.Config, error) {
	cfg, err := quick.Config(config.Starter, os.Getenv)
	if err != nil {
		return nil, err
	}
	to := make(map[string]string)
	if err := json.Unmarshal(text, &to); err != nil {
		return nil, fmt.Errorf("addresses that were replaced: %w", err)
	}
	for _, address := range quick.Movable(cfg) {
		if other, ok := to[*address]; ok {
			*address = other
		}
	}
	return cfg, nil
}
