package dev.tiller.engine;

import dev.tiller.loader.TillerException;
import java.util.List;

/**
 * What a plan does to the positions of one text: which of its terms act where and how strongly, given the text's roles and
 * what was decided about its conditions.
 */
final class Treatment implements Span.Layout {
    private final CompiledPlan plan;
    private final int promptLength;
    private final PromptRoles roles;
    private final ThoughtTrack thoughts;
    private final List<Term> terms;
    /** Bit i: condition i of the plan holds. */
    private long fired;

    private boolean decided;

    /**
     * @param roles of the prompt; null if it is no conversation
     * @param thoughts follows the answer; null if no span asks for thoughts
     */
    private Treatment(CompiledPlan plan, int promptLength, PromptRoles roles, ThoughtTrack thoughts) {
        this.plan = plan;
        this.promptLength = promptLength;
        this.roles = roles;
        this.thoughts = thoughts;
        this.terms = plan.terms();
        this.decided = plan.conditions().isEmpty();
    }

    /** Of a plain text; a plan that needs roles is refused. */
    static Treatment of(CompiledPlan plan, int promptLength) {
        return of(plan, promptLength, null, null);
    }

    /**
     * Of a text; a plan that asks for roles which the text does not have is refused.
     *
     * @param prompt the conversation, or null
     * @param model its tokenizer follows thoughts; may be null if the answer does not grow
     */
    static Treatment of(CompiledPlan plan, int promptLength, ChatPrompt prompt, Model model) {
        boolean thinks = plan.speaks(Role.THINKING);
        if (!thinks && plan.terms().stream().noneMatch(t -> t.span() instanceof Span.OfRole)) {
            return new Treatment(plan, promptLength, null, null);
        }
        if (prompt == null) {
            throw new TillerException(
                    "steering plan: span {\"role\": ...}: the prompt has no roles, it was given as text"
                            + " or token ids; give a conversation (messages), or use the spans all, prompt, generation or"
                            + " {\"from\": i, \"to\": j}");
        }
        PromptRoles roles = prompt.roles();
        if (roles.length() != promptLength) {
            throw new IllegalArgumentException(
                    "roles of " + roles.length() + " positions for a prompt of " + promptLength);
        }
        if (thinks && roles.markers() == null) {
            throw new TillerException("steering plan: span {\"role\": \"thinking\"}: the model's chat template has no"
                    + " markers of thoughts (looked for "
                    + dev.tiller.loader.template.ThinkingMarkers.known() + ")");
        }
        ThoughtTrack track = thinks && model != null
                ? new ThoughtTrack(roles.markers(), model.tokenizer().streamDecoder(false), roles.thinkingAtEnd())
                : null;
        return new Treatment(plan, promptLength, roles, track);
    }

    CompiledPlan plan() {
        return plan;
    }

    @Override
    public int promptLength() {
        return promptLength;
    }

    @Override
    public boolean is(Role role, int position) {
        if (position < promptLength) {
            return roles.has(role, position) || role == Role.ASSISTANT && position == promptLength - 1;
        }
        return switch (role) {
            case ASSISTANT -> true;
            case THINKING -> thoughts.after(position - promptLength);
            default -> false;
        };
    }

    /** The answer has grown by a token. */
    void append(int id) {
        if (thoughts != null) {
            thoughts.append(id);
        }
    }

    /** Which terms act on that position: bit i stands for term i. */
    long mask(int position) {
        long mask = 0;
        for (int i = 0; i < terms.size(); i++) {
            if (acts(i, position)) {
                mask |= 1L << i;
            }
        }
        return mask;
    }

    private boolean acts(int term, int position) {
        int condition = plan.conditionOf(term);
        return (condition < 0 || holds(condition))
                && terms.get(term).span().contains(position, this)
                && factor(term, position) != 0;
    }

    /** How many of the first positions an edit acts on; conditions on every token do not count. 0 if it is idle. */
    int positions(Edit edit, int length) {
        Term term = Term.of(edit);
        int condition = plan.conditions().indexOf(term.when());
        if (edit.isIdle() || condition >= 0 && !holds(condition)) {
            return 0;
        }
        int count = 0;
        for (int p = 0; p < length; p++) {
            boolean now = term.schedule() == null || term.schedule().factor(p - (promptLength - 1)) != 0;
            count += now && term.span().contains(p, this) ? 1 : 0;
        }
        return count;
    }

    /** What the coefficients of a term are multiplied with at that position. */
    float factor(int term, int position) {
        Schedule schedule = terms.get(term).schedule();
        return schedule == null ? 1 : schedule.factor(position - (promptLength - 1));
    }

    // ---- conditions ----

    /** True if every condition on the prompt is decided. */
    boolean decided() {
        return decided;
    }

    /**
     * Decides the conditions.
     *
     * @param projections of the prompt, one for each condition of the plan
     */
    void decide(double[] projections) {
        List<Condition> conditions = plan.conditions();
        for (int i = 0; i < conditions.size(); i++) {
            if (conditions.get(i).holds(projections[i])) {
                fired |= 1L << i;
            }
        }
        decided = true;
    }

    /** True if that condition holds. */
    boolean holds(int condition) {
        return (fired >>> condition & 1) != 0;
    }

    /** The first of so many positions that a condition which holds has edits for; {@code count} if there is none. */
    int firstConditional(int count) {
        if (fired == 0) {
            return count;
        }
        for (int p = 0; p < count; p++) {
            for (int i = 0; i < terms.size(); i++) {
                if (plan.conditionOf(i) >= 0 && acts(i, p)) {
                    return p;
                }
            }
        }
        return count;
    }

    /** True if at that position of both texts, whose tokens up to it are the same, the same is done. */
    boolean actsLike(Treatment other, int position) {
        long mine = mask(position);
        if (mine == 0 && other.mask(position) == 0) {
            return true;
        }
        if (plan != other.plan || mine != other.mask(position)) {
            return false;
        }
        for (int i = 0; i < terms.size(); i++) {
            if ((mine >>> i & 1) != 0 && factor(i, position) != other.factor(i, position)) {
                return false;
            }
        }
        return true;
    }
}
