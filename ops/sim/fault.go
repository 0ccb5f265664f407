package sim

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Fault is something that can go wrong on a host while the fleet runs.
type Fault string

// The faults that can be switched.
const (
	// SlowHost delays every answer of the host.
	SlowHost Fault = "slow"
	// DeadHost closes the SSH port and drops every connection.
	DeadHost Fault = "dead"
	// CutLink drops every connection once; new ones are taken again. It does not stay on.
	CutLink Fault = "cut"
	// FullDisk lets writes and pulls fail.
	FullDisk Fault = "full-disk"
	// RefusedKey refuses the fleet's key.
	RefusedKey Fault = "refused-key"
	// FailingHealth lets the app containers answer 503.
	FailingHealth Fault = "failing-health"
	// BadImage lets pulls fail with a broken layer.
	BadImage Fault = "bad-image"
)

// FaultInfo describes a fault for people.
type FaultInfo struct {
	Fault Fault
	Text  string
}

// Faults lists what SetFault takes.
func Faults() []FaultInfo {
	return []FaultInfo{
		{SlowHost, "answers late by " + slowBy.String()},
		{DeadHost, "is off the network"},
		{CutLink, "drops its connections once"},
		{FullDisk, "has no space left"},
		{RefusedKey, "refuses the SSH key"},
		{FailingHealth, "has app containers that answer 503"},
		{BadImage, "receives broken layers when it pulls"},
	}
}

// SetFault switches a fault of one host on or off; the empty host means all of them. It fails for an unknown
// host or fault, and when a host cannot take its port again.
func (f *Fleet) SetFault(hostName string, fault Fault, on bool) error {
	hosts := f.hosts
	if hostName != "" {
		h := f.byName[hostName]
		if h == nil {
			return fmt.Errorf("the demo fleet has no host %q", hostName)
		}
		hosts = []*host{h}
	}
	for _, h := range hosts {
		if err := h.setFault(fault, on); err != nil {
			return err
		}
	}
	return nil
}

// HasFault tells whether a fault is switched on.
func (f *Fleet) HasFault(hostName string, fault Fault) bool {
	h := f.byName[hostName]
	return h != nil && h.faults.has(fault)
}

// Private

const slowBy = 350 * time.Millisecond

// faultSet is read on every path, so it takes no lock.
type faultSet struct{ bits atomic.Uint32 }

func (s *faultSet) has(f Fault) bool { return s.bits.Load()&faultBit(f) != 0 }

func (s *faultSet) set(f Fault, on bool) {
	for {
		old := s.bits.Load()
		next := old | faultBit(f)
		if !on {
			next = old &^ faultBit(f)
		}
		if s.bits.CompareAndSwap(old, next) {
			return
		}
	}
}

func (h *host) setFault(fault Fault, on bool) error {
	if faultBit(fault) == 0 {
		return fmt.Errorf("the demo fleet knows no fault %q", fault)
	}
	if fault == CutLink {
		if on {
			h.sshd.dropAll()
		}
		return nil
	}
	was := h.faults.has(fault)
	if was == on {
		return nil
	}
	if fault == FailingHealth { // what was served until now was served well
		h.mu.Lock()
		h.advanceLocked(h.now())
		h.faults.set(fault, on)
		h.engine.probeAgainLocked()
		h.mu.Unlock()
		return nil
	}
	h.faults.set(fault, on)
	if fault != DeadHost {
		return nil
	}
	if on {
		h.sshd.close()
		return nil
	}
	return h.sshd.listen()
}

// Helpers

func faultBit(f Fault) uint32 {
	for i, info := range []Fault{SlowHost, DeadHost, CutLink, FullDisk, RefusedKey, FailingHealth, BadImage} {
		if info == f {
			return 1 << i
		}
	}
	return 0
}
