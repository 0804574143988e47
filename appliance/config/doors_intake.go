package config

import (
	"net/netip"
	"slices"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/wire"
)

var wireDoors = []Door{
	{
		Key: "intake[].down", Of: onlyWire, Open: string(intake.DownWire),
		Passes: "connections pass undecrypted while clearspan is away, stands still, or is overloaded for a second",
		Shut:   "`down: block` drops them.",
		open:   intakes("down: wire", func(in Intake) bool { return in.Mode == Wire && in.Wire.Down == intake.DownWire }),
	},
	{
		Key: "intake[].down_unsafe", Of: onlyWire, Open: "true",
		Passes: "nothing passes after a kill in a mount namespace of its own, and the legs return to the machine",
		Shut:   "Without the key, such a wire does not start.",
		open:   intakes("down_unsafe: true", func(in Intake) bool { return in.Mode == Wire && in.Wire.DownUnsafe }),
	},
	{
		Key: "intake[].strict", Of: onlyWire, Open: "false",
		Passes: "fragments, IP options, foreign tags and unknown connections pass unjudged",
		Shut:   "`strict: true` drops them.",
		open:   intakes("strict: false", func(in Intake) bool { return in.Mode == Wire && in.Wire.Open }),
	},
	{
		Key: "intake[].grace", Of: onlyWire, Open: "10s",
		Passes: "connections that are older than the wire pass if they send a frame in this time after its first start",
		Shut:   "`grace: 1ms` drops nearly all.",
		open:   intakes("grace", func(in Intake) bool { return in.Mode == Wire && in.Wire.Grace > 0 }),
	},
	{
		Key: "intake[].takeover", Of: onlyWire, Open: string(wire.Late),
		Passes: "FTP data connections that the server opens pass unopened",
		Shut:   "`takeover: accept` opens them.",
		open:   intakes("takeover: late", func(in Intake) bool { return in.Mode == Wire && in.Wire.Takeover == wire.Late }),
	},
}

var intakeDoors = []Door{
	{
		Key: "intake[].ports", Of: selecting, Open: "a list",
		Passes: "connections to other ports pass untouched",
		Shut:   "Without the key, clearspan takes every port.",
		open:   intakes("ports", func(in Intake) bool { return in.selects() && len(in.ports()) > 0 }),
	},
	{
		Key: "intake[].quic", Of: selecting, Open: string(intake.PassQUIC),
		Passes: "QUIC passes undecrypted, unless the policy terminates it",
		Shut:   "`quic: block` refuses QUIC, and clients use TCP.",
		open:   intakes("quic: pass", func(in Intake) bool { return in.selects() && in.QUIC() == intake.PassQUIC }),
	},
	{
		Key: "intake[].quic", Of: selecting, Open: string(intake.BlockQUIC),
		Passes: "other UDP passes, and unknown versions of QUIC on other ports than 443",
		Shut:   "No key closes it. Drop other UDP with a firewall.",
		open:   intakes("quic: block", func(in Intake) bool { return in.selects() && in.QUIC() == intake.BlockQUIC }),
	},
	{
		Key: "intake[].down", Of: routed, Open: string(intake.DownPass),
		Passes: "connections are routed past undecrypted while clearspan is away",
		Shut:   "`down: block` drops them.",
		open:   intakes("down: pass", func(in Intake) bool { return in.routed() && in.Forwarded().Down == intake.DownPass }),
	},
	{
		Key: "intake[].strays", Of: routed, Open: string(intake.PassStrays),
		Passes: "connections that began while clearspan was away go on undecrypted",
		Shut:   "`strays: reset` ends them.",
		open:   intakes("strays: pass", func(in Intake) bool { return in.routed() && in.Forwarded().Strays == intake.PassStrays }),
	},
	{
		Key: "intake[].reach", Of: onlyProxy, Open: "a list",
		Passes: "clients of other machines reach addresses of this machine, or link-local ones",
		Shut:   "Without the key, clearspan refuses them.",
		open:   intakes("reach", func(in Intake) bool { return in.Mode == Explicit && len(in.Proxy.Reach) > 0 }),
	},
	{
		Key: "intake[].from", Of: onlyProxy, Open: "0.0.0.0/0",
		Passes: "the proxy serves every client",
		Shut:   "Name the networks of your clients.",
		open:   intakes("from", func(in Intake) bool { return in.Mode == Explicit && slices.ContainsFunc(in.Proxy.From, everyAddress) }),
	},
}

func everyAddress(p netip.Prefix) bool { return p.Bits() == 0 }

// routed reports whether the machine routes the traffic that the intake takes.
func (in Intake) routed() bool { return in.Mode == TProxy || in.Mode == Redirect }

// selects reports whether the intake sees more traffic than it takes.
func (in Intake) selects() bool { return in.routed() || in.Mode == Wire }
