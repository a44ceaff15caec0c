//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// scrapesBeforeMemory is the number of scrapes after which the memory of the exporter is read.
const scrapesBeforeMemory = 50

// result is what is measured at one number of VMs.
type result struct {
	vms         int
	series      map[string]int       // by variant
	cpu         map[string][]float64 // CPU time per scrape by variant, in ms, one value per round
	memory      float64              // resident set of the exporter with the simulated host, in MB
	firstAnswer []float64            // time from the start of the program to the end of the first response, in ms
}

// measure runs all variants side by side. A round scrapes each of them the given number of times, in the opposite order
// of the round before.
func measure(ctx context.Context, vms, rounds, scrapes int) (*result, error) {
	r := &result{vms: vms, series: map[string]int{}, cpu: map[string][]float64{}}
	var processes []*process
	defer func() {
		for _, p := range processes {
			p.stop()
		}
	}()
	for _, v := range variants() {
		p, err := startVariant(ctx, v, vms)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		processes = append(processes, p)
		if err := r.prepare(p); err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
	}
	for range rounds {
		for _, p := range processes {
			if err := p.scrape(scrapes); err != nil {
				return nil, fmt.Errorf("%s: %w", p.variant.name, err)
			}
			used, err := p.cpuSinceLast()
			if err != nil {
				return nil, err
			}
			r.cpu[p.variant.name] = append(r.cpu[p.variant.name], milliseconds(used)/float64(scrapes))
		}
		slices.Reverse(processes)
		took, err := firstAnswer(ctx, vms)
		if err != nil {
			return nil, fmt.Errorf("first answer: %w", err)
		}
		r.firstAnswer = append(r.firstAnswer, milliseconds(took))
	}
	return r, nil
}

// prepare scrapes a new process until it serves as it will in the rounds, and counts its series.
func (r *result) prepare(p *process) error {
	scrapes := 3
	if p.variant.name == exporterVariant {
		scrapes = scrapesBeforeMemory
	}
	if err := p.scrape(scrapes); err != nil {
		return err
	}
	if p.variant.name == exporterVariant {
		memory, err := p.memory()
		if err != nil {
			return err
		}
		r.memory = float64(memory) / 1e6
	}
	if p.variant.serves {
		n, err := p.countSeries()
		if err != nil {
			return err
		}
		r.series[p.variant.name] = n
	}
	_, err := p.cpuSinceLast()
	return err
}

// firstAnswer starts the program, and returns the time until it has answered a scrape.
func firstAnswer(ctx context.Context, vms int) (time.Duration, error) {
	begin := time.Now()
	p, err := start(ctx, programMode, strconv.Itoa(vms))
	if err != nil {
		return 0, err
	}
	defer p.stop()
	_, err = p.get("/metrics")
	return time.Since(begin), err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
