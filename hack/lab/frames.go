package lab

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/clearspan/clearspan/hack/netlab"
)

// What programs at an interface answer: go on, or drop.
const (
	framePasses = 0
	frameDrops  = 2
)

// Tag makes an interface one end of a VLAN: frames leave with an 802.1Q tag and
// lose theirs when they come in. It is for kernels without VLAN devices. It ends
// with the lab.
func Tag(l *netlab.Lab, ns *netlab.Namespace, ifname string, id uint16) error {
	push := asm.Instructions{
		asm.LoadImm(asm.R2, 0x0081, asm.DWord), // 0x8100 in network order
		asm.LoadImm(asm.R3, int64(id), asm.DWord),
		asm.FnSkbVlanPush.Call(),
		asm.Mov.Imm(asm.R0, framePasses),
		asm.Return(),
	}
	pop := asm.Instructions{
		asm.FnSkbVlanPop.Call(),
		asm.Mov.Imm(asm.R0, framePasses),
		asm.Return(),
	}
	return errors.Join(
		attach(l, ns, ifname, ebpf.AttachTCXEgress, push),
		attach(l, ns, ifname, ebpf.AttachTCXIngress, pop))
}

// attach loads a program and runs it for frames of an interface, until the lab
// is closed.
func attach(l *netlab.Lab, ns *netlab.Namespace, ifname string, at ebpf.AttachType, code asm.Instructions) error {
	iface, err := ns.Interface(ifname)
	if err != nil {
		return err
	}
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, Instructions: code, License: "GPL"})
	if err != nil {
		return fmt.Errorf("load program for %s: %w", ifname, err)
	}
	defer program.Close()
	return ns.Do(func() error {
		hook, err := link.AttachTCX(link.TCXOptions{Interface: iface.Index, Program: program, Attach: at})
		if err != nil {
			return fmt.Errorf("attach program to %s: %w", ifname, err)
		}
		l.OnClose(hook.Close)
		return nil
	})
}
