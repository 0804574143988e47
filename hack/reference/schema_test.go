package reference

import (
	"testing"

	"github.com/clearspan/clearspan/appliance/config"
)

func TestReferenceSchema(t *testing.T) { HoldFile(t, "config.schema.json", config.Schema()) }
