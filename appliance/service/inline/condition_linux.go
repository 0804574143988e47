package inline

import (
	"fmt"
	"strings"
)

// Failing returns why the device is not at work; "" if it is, see [Device.Up].
func (d *Device) Failing() string {
	var unplugged []string
	for i := range d.health.carrier {
		if !d.health.carrier[i].Load() {
			unplugged = append(unplugged, d.config.Legs[i])
		}
	}
	switch {
	case len(unplugged) > 0:
		return fmt.Sprintf("no carrier on %s", strings.Join(unplugged, " and "))
	case d.health.unresponsive.Load():
		return "no connection comes through"
	}
	return ""
}
