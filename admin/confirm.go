package admin

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"sync"
	"time"
)

// confirmations are the tokens that were given out and not yet presented. They are
// kept as hashes and in memory only: a restart makes all of them void.
type confirmations struct {
	life time.Duration

	mu  sync.Mutex
	out map[[sha256.Size]byte]confirmation
}

// confirmation is what a token stands for.
type confirmation struct {
	binding [sha256.Size]byte
	who     string
	expires time.Time
}

// How many tokens may be out.
const (
	maxTokens       = 1000
	maxTokensOfUser = 50
)

func newConfirmations(life time.Duration) *confirmations {
	return &confirmations{life: life, out: map[[sha256.Size]byte]confirmation{}}
}

// bind is what a confirmation is about: who wants to do what, with which
// parameters, to what, as it is now.
func bind(c caller, p *plan, s *seen) [sha256.Size]byte {
	about := []any{c.User, c.Subject, p.action, p.method.Class, p.method.Name, p.vm, string(p.object), p.shown}
	if p.target != nil {
		about = append(about, p.target.key.InstanceID(), s.State, s.Mode)
	}
	text, err := json.Marshal(about)
	if err != nil { // not to be confirmed by anything
		return sha256.Sum256([]byte(rand.Text()))
	}
	return sha256.Sum256(text)
}

// give gives out a token. It is false when too many are out.
func (c *confirmations) give(who string, binding [sha256.Size]byte, now time.Time) (token string, expires time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	own := 0
	for key, x := range c.out {
		if !now.Before(x.expires) {
			delete(c.out, key)
		} else if x.who == who {
			own++
		}
	}
	if len(c.out) >= maxTokens || own >= maxTokensOfUser {
		return "", time.Time{}, false
	}
	random := make([]byte, 32)
	rand.Read(random)
	token = base64.RawURLEncoding.EncodeToString(random)
	expires = now.Add(c.life)
	c.out[sha256.Sum256([]byte(token))] = confirmation{binding, who, expires}
	return token, expires, true
}

// present takes a token, which is void afterwards, whatever it was given out for.
// It is false if it is not for this.
func (c *confirmations) present(token string, binding [sha256.Size]byte, now time.Time) bool {
	key := sha256.Sum256([]byte(token)) // what is compared is a hash: how long that takes tells nothing
	c.mu.Lock()
	defer c.mu.Unlock()
	x, ok := c.out[key]
	delete(c.out, key)
	return ok && now.Before(x.expires) && subtle.ConstantTimeCompare(x.binding[:], binding[:]) == 1
}

// confirm is the two steps of what destroys. Nil means that it is confirmed.
func (s *Server) confirm(c caller, p *plan, b *body, now *seen) *problem {
	if b.ConfirmationToken == "" {
		return s.firstStep(c, p, now)
	}
	if b.Reason == "" {
		return refuse(kindBadConfirmation, "reason is missing")
	}
	if b.VMName != p.confirmed {
		return refuse(kindBadConfirmation, "vm_name is not the name of %s", p.about())
	}
	if now != nil && p.method.LosesUnsent {
		if p := b.covers(now); p != nil {
			return p
		}
	}
	if !s.confirmations.present(b.ConfirmationToken, bind(c, p, now), s.o.Now()) {
		return refuse(kindBadConfirmation, "the token is unknown, used, too old, or was given for something else, for another state or to somebody else; ask for a new one")
	}
	return nil
}

// covers tells whether what is accepted covers what would be lost.
func (b *body) covers(now *seen) *problem {
	switch {
	case b.MaxDataLossSeconds == nil:
		return refuse(kindBadConfirmation, "max_data_loss_seconds is missing")
	case now.LagSeconds == nil && !b.AcceptUnknownLoss:
		return refuse(kindDataLoss, "how much would be lost is not known; accept_unknown_loss accepts that").with("current", now)
	case now.LagSeconds != nil && *now.LagSeconds > *b.MaxDataLossSeconds:
		return refuse(kindDataLoss, "what was written in %.0f s would be lost, and %.0f s are accepted", *now.LagSeconds, *b.MaxDataLossSeconds).with("current", now)
	}
	return nil
}

// about is what the plan is about, for people.
func (p *plan) about() string {
	switch {
	case p.vm == "":
		return "this host"
	case p.verb != nil && p.method.Name == destroySystem && p.target != nil:
		return "the replica " + p.vm + ", which stays"
	}
	return "the VM " + p.vm
}

func (s *Server) firstStep(c caller, p *plan, now *seen) *problem {
	token, expires, ok := s.confirmations.give(c.String(), bind(c, p, now), s.o.Now())
	if !ok {
		return refuse(kindRate, "too many confirmations are asked for")
	}
	loss := ""
	if now != nil && p.method.LosesUnsent {
		loss = ", and max_data_loss_seconds that is not below the lag_seconds of estimated_loss"
		if now.LagSeconds == nil {
			loss = ", max_data_loss_seconds, and accept_unknown_loss, since the lag is not known"
		}
	}
	answer := refuse(kindConfirm, "it destroys %s: send it again with confirmation_token, reason, vm_name (the name of %s)%s", p.destroys, p.about(), loss)
	answer.with("confirmation_token", token).with("expires", expires.UTC()).with("plan", p.show())
	if now != nil {
		answer.with("current", now).with("estimated_loss", now.loss)
	}
	return answer
}
