package appliance

import (
	"path/filepath"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/learn"
)

// openLearned reads what earlier processes learned. It outlives generations.
func (a *Appliance) openLearned() error {
	a.learned = learn.New(lessons(a.cfg), learn.Config{Logger: a.log})
	a.lessons = filepath.Join(a.cfg.State, "learned.json")
	if err := a.learned.Load(a.lessons); err != nil {
		return err
	}
	return a.metrics.Learned(a.learned.Stats)
}

// lessons are what is learned under cfg. Where client certificates are no reason
// to tunnel, they are none to learn it.
func lessons(cfg *config.Config) learn.Options {
	o := cfg.Policy.Learn
	if cfg.Origin.ClientCertificate != decrypt.TunnelRequest {
		o.ClientCertificate = learn.Off
	}
	return o
}
