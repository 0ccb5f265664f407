package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

type savedService struct {
	Name           string          `json:"name"`
	Options        serviceOptions  `json:"options"`
	Target         targetOptions   `json:"target_options"`
	ActiveTargets  []string        `json:"active_targets"`
	ActiveReaders  []string        `json:"active_readers"`
	RolloutTargets []string        `json:"rollout_targets"`
	RolloutReaders []string        `json:"rollout_readers"`
	Gate           savedGate       `json:"pause_controller"`
	Rollout        json.RawMessage `json:"rollout_controller"`
}

type savedGate struct {
	State     gateState     `json:"state"`
	Message   string        `json:"stop_message"`
	FailAfter time.Duration `json:"fail_after"`
}

// save writes the state file in place.
func (p *proxy) save() error {
	p.saving.Lock()
	defer p.saving.Unlock()
	saved := []savedService{}
	p.mu.RLock()
	for _, name := range slices.Sorted(maps.Keys(p.services)) {
		saved = append(saved, p.services[name].saved())
	}
	p.mu.RUnlock()
	text, err := json.Marshal(saved)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(p.statePath), 0o700); err != nil {
		return err
	}
	return os.WriteFile(p.statePath, append(text, '\n'), 0o600)
}

// restore brings back the saved services; their targets count as healthy.
func (p *proxy) restore() error {
	text, err := os.ReadFile(p.statePath)
	if errors.Is(err, fs.ErrNotExist) {
		slog.Info("No previous state to restore", "path", p.statePath)
		return nil
	}
	if err != nil {
		return err
	}
	var saved []savedService
	if err := json.Unmarshal(text, &saved); err != nil {
		return fmt.Errorf("reading %s: %w", p.statePath, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range saved {
		targets, err := newPool(one.ActiveTargets, one.Target)
		if err != nil {
			return err
		}
		s := newService(one.Name)
		if err := s.configure(one.Options, one.Target); err != nil {
			return err
		}
		s.swap(targets)
		s.gate.set(one.Gate.State, one.Gate.Message, one.Gate.FailAfter)
		p.services[one.Name] = s
	}
	slog.Info("Restored saved state", "path", p.statePath)
	return nil
}

// Private

func (s *service) saved() savedService {
	config := s.settings()
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	return savedService{
		Name: s.name, Options: config.options, Target: config.target, ActiveTargets: s.pool().addresses(), ActiveReaders: []string{},
		Gate: savedGate{State: s.gate.state, Message: s.gate.message, FailAfter: s.gate.failAfter},
	}
}
