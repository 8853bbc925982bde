package dev.tiller.persona.cli;

import dev.tiller.engine.ChatPrompt;
import dev.tiller.engine.Edit;
import dev.tiller.engine.FinishReason;
import dev.tiller.engine.Generation;
import dev.tiller.engine.GenerationRequest;
import dev.tiller.engine.Generator;
import dev.tiller.engine.Model;
import dev.tiller.engine.Probe;
import dev.tiller.engine.SamplingOptions;
import dev.tiller.engine.SteeringPlan;
import dev.tiller.loader.template.Message;
import dev.tiller.persona.Judge;
import dev.tiller.persona.PersonaVector;
import dev.tiller.persona.Scores;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/** One question, answered unsteered, steered either way and under a random direction, tokens coloured by projection. */
final class DemoAnswers {
    private record Token(String text, float projection) {}

    /** A way to steer, and what came of it. */
    private static final class Answer {
        final String label;
        final SteeringPlan plan;
        final List<Token> tokens = new ArrayList<>();
        Generation generation;

        Answer(String label, SteeringPlan plan) {
            this.label = label;
            this.plan = plan;
        }

        double mean() {
            return tokens.stream().mapToDouble(Token::projection).average().orElse(0);
        }
    }

    /** Always the likeliest token; the penalty keeps a steered model out of loops. */
    private static final SamplingOptions SAMPLING = new SamplingOptions(0, 0, 1, 0, 1.1);

    private final Console console;
    private final TokenColours colours;
    private final Model model;
    private final PersonaVector vector;
    private final PersonaVector random;
    private final int block;

    DemoAnswers(
            Console console, TokenColours colours, Model model, PersonaVector vector, PersonaVector random, int block) {
        this.console = console;
        this.colours = colours;
        this.model = model;
        this.vector = vector;
        this.random = random;
        this.block = block;
    }

    /**
     * A question that shows the effect well without being the best there is: the upper quartile when they are ordered by
     * how far steering from -c to +c moves the judge's score. (The median is 0 for traits that come out all or nothing.)
     */
    String telling(List<String> questions, double c, Judge judge, int maxTokens) {
        List<GenerationRequest> requests = new ArrayList<>();
        for (String question : questions) {
            requests.add(request(question, add(vector, c), maxTokens));
            requests.add(request(question, add(vector, -c), maxTokens));
        }
        List<Generation> done = model.generate(requests);
        double[] effect = new double[questions.size()];
        for (int q = 0; q < effect.length; q++) {
            effect[q] = score(judge, questions.get(q), done.get(2 * q)).trait()
                    - score(judge, questions.get(q), done.get(2 * q + 1)).trait();
        }
        List<Integer> order = IntStream.range(0, effect.length)
                .boxed()
                .sorted(Comparator.comparingDouble(q -> effect[q]))
                .toList();
        return questions.get(order.get(order.size() * 3 / 4));
    }

    /**
     * Prints the question and its four answers.
     *
     * @param what which question it is
     * @param c coefficient, above 0
     * @param judge scores the answers, or null
     */
    void show(String what, String question, double c, Judge judge, int maxTokens) {
        String trait = vector.trait();
        List<Answer> answers = List.of(
                new Answer("unsteered", SteeringPlan.NONE),
                new Answer(DemoCommand.coefficientText(c) + " " + trait, add(vector, c)),
                new Answer(DemoCommand.coefficientText(-c) + " " + trait, add(vector, -c)),
                new Answer(DemoCommand.coefficientText(c) + " random", add(random, c)));
        run(question, answers, maxTokens);
        console.out().println("\n" + what + ", answered with the likeliest tokens (repetition penalty 1.1):");
        console.out().println("  " + question);
        double centre = answers.getFirst().mean();
        double reach = answers.stream()
                .mapToDouble(a -> Math.abs(a.mean() - centre))
                .max()
                .orElse(0);
        for (Answer a : answers) {
            console.out().println(heading(a, question, judge));
            console.out().println("    " + painted(a, centre, reach).replace("\n", "\n    "));
        }
        legend(centre, reach);
        console.flush();
    }

    private SteeringPlan add(PersonaVector direction, double c) {
        return SteeringPlan.of(Edit.add(direction.steering(), (float) c, block));
    }

    private GenerationRequest request(String question, SteeringPlan plan, int maxTokens) {
        ChatPrompt prompt = model.chatPrompt(List.of(new Message("user", question)));
        return new GenerationRequest(prompt, plan, SAMPLING, 0, maxTokens, false);
    }

    private static Scores score(Judge judge, String question, Generation answer) {
        return judge.score(question, answer.text(), answer.finish() == FinishReason.STOP);
    }

    private void run(String question, List<Answer> answers, int maxTokens) {
        List<GenerationRequest> requests =
                answers.stream().map(a -> request(question, a.plan, maxTokens)).toList();
        Probe probe = new Probe(block, vector.residPost(block));
        List<Generation> done = new Generator(model, List.of(probe), (index, id, text, projections) -> {
                    List<Token> tokens = answers.get(index).tokens;
                    float projection = projections != null
                            ? projections[0]
                            : tokens.isEmpty() ? 0 : tokens.getLast().projection();
                    tokens.add(new Token(text, projection));
                    return true;
                })
                .run(requests);
        for (int i = 0; i < answers.size(); i++) {
            answers.get(i).generation = done.get(i);
        }
    }

    private String heading(Answer a, String question, Judge judge) {
        StringBuilder s = new StringBuilder("  " + a.label);
        s.append(String.format(Locale.ROOT, "  [projection %.1f", a.mean()));
        if (judge != null) {
            Scores scores = score(judge, question, a.generation);
            s.append(String.format(Locale.ROOT, ", score %.0f, coherence %.0f", scores.trait(), scores.coherence()));
        }
        return s.append("]").toString();
    }

    private String painted(Answer a, double centre, double reach) {
        StringBuilder s = new StringBuilder();
        for (int i = 0; i < a.tokens.size(); i++) {
            Token t = a.tokens.get(i);
            String text = i < a.tokens.size() - 1 ? t.text() : t.text().stripTrailing();
            s.append(colours.paint(console.visible(text), reach > 0 ? (t.projection() - centre) / reach : 0));
        }
        return s.append(a.generation.finish() == FinishReason.LENGTH ? " ..." : "")
                .toString();
    }

    private void legend(double centre, double reach) {
        String where = "along the direction, at the output of block " + block + ", after steering";
        if (colours == TokenColours.NONE) {
            console.out()
                    .println("  (projection: how far the residuals of the answer's tokens lie " + where
                            + "; their mean)");
            return;
        }
        StringBuilder s = new StringBuilder("  Colour: ");
        for (int i = -2; i <= 2; i++) {
            s.append(colours.paint(String.format(Locale.ROOT, " %.1f ", centre + i * reach / 2), i / 2.0));
        }
        console.out().println(s + "  how far a token's residual lies " + where);
    }
}
