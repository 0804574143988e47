package appliance

import (
	"fmt"
	"sync"
	"testing"
)

// TestReloadWhileStarting: operators are answered before the box is ready. The race
// detector finds what a reload changes then.
func TestReloadWhileStarting(t *testing.T) {
	dir := t.TempDir()
	cfg := parse(t, dir, fmt.Sprintf(box, "127.0.0.1:9", "bump"))
	a, err := New(cfg, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	var reloading sync.WaitGroup
	reloading.Go(func() {
		for range 5 {
			if _, err := a.Reload(parse(t, dir, fmt.Sprintf(box, "127.0.0.1:9", "tunnel"))); err != nil {
				t.Error(err)
			}
			a.Operations().Status()
			a.Operations().Mirrors()
		}
	})
	startNew(t, a)
	reloading.Wait()
	if s := a.Operations().Status(); len(s.Config.Waits) > 0 || s.Config.State == "" {
		t.Errorf("%+v", s.Config)
	}
}
