package io.elder.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** A measurement's tables, its figures as JSON and a plot, and the bars that it is held against. */
final class Report {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final String name;
    private final PrintStream out;
    private final ObjectNode figures = JSON.createObjectNode();
    private final List<String> tables = new ArrayList<>();
    private boolean isWithin = true;

    Report(String name, PrintStream out) {
        this.name = name;
        this.out = out;
        figures.set("machine", Machine.describe());
    }

    ObjectNode figures() {
        return figures;
    }

    PrintStream out() {
        return out;
    }

    /** Prints rows of cells as a table, the first row as its head. */
    void table(String title, List<List<String>> rows) {
        int[] widths = new int[rows.getFirst().size()];
        for (List<String> row : rows) {
            for (int i = 0; i < row.size(); i++) {
                widths[i] = Math.max(widths[i], row.get(i).length());
            }
        }
        StringBuilder text = new StringBuilder("\n").append(title).append("\n\n");
        for (int r = 0; r < rows.size(); r++) {
            line(text, rows.get(r), widths);
            if (r == 0) {
                text.append('|');
                for (int i = 0; i < widths.length; i++) {
                    text.append('-')
                            .append("-".repeat(widths[i]))
                            .append(i == 0 ? '-' : ':')
                            .append('|');
                }
                text.append('\n');
            }
        }
        tables.add(text.toString());
        out.print(text);
        out.flush();
    }

    private static void line(StringBuilder text, List<String> row, int[] widths) {
        text.append('|');
        for (int i = 0; i < row.size(); i++) {
            String pad = " ".repeat(widths[i] - row.get(i).length());
            text.append(' ')
                    .append(i == 0 ? row.get(i) + pad : pad + row.get(i))
                    .append(" |");
        }
        text.append('\n');
    }

    /** Holds a figure against its bar. */
    void bar(String what, double value, boolean atLeast, double bar) {
        boolean isMet = !Double.isNaN(value) && (atLeast ? value >= bar : value <= bar);
        isWithin &= isMet;
        out.printf(
                Locale.ROOT,
                "%s: %s %.2f (bar: %s %s)%n",
                isMet ? "met" : "MISSED",
                what,
                value,
                atLeast ? ">=" : "<=",
                number(bar));
        figures.withArray("bars")
                .addObject()
                .put("what", what)
                .put("value", value)
                .put("bar", (atLeast ? ">= " : "<= ") + number(bar))
                .put("met", isMet);
    }

    boolean isWithin() {
        return isWithin;
    }

    /** Writes {@code <name>.json}, {@code <name>.md} and {@code <name>.svg}. */
    void write(Path folder, BarChart chart) throws IOException {
        figures.put("load_average_at_end", Machine.load());
        Files.createDirectories(folder);
        Files.writeString(
                folder.resolve(name + ".json"),
                JSON.writerWithDefaultPrettyPrinter().writeValueAsString(figures) + "\n");
        StringBuilder text = new StringBuilder("# ").append(name).append("\n\n");
        text.append(Machine.line((ObjectNode) figures.get("machine"))).append("\n");
        tables.forEach(text::append);
        text.append('\n');
        figures.path("bars").forEach(bar -> text.append("- ")
                .append(bar.path("met").asBoolean() ? "met: " : "MISSED: ")
                .append(bar.path("what").asText())
                .append(String.format(Locale.ROOT, " %.2f", bar.path("value").asDouble()))
                .append(" (bar: ")
                .append(bar.path("bar").asText())
                .append(")\n"));
        Files.writeString(folder.resolve(name + ".md"), text.toString());
        Files.writeString(folder.resolve(name + ".svg"), chart.svg());
        out.println("written to " + folder.resolve(name + ".{json,md,svg}"));
    }

    static double median(List<Double> values) {
        if (values.isEmpty()) {
            return Double.NaN;
        }
        double[] sorted = values.stream().mapToDouble(Double::doubleValue).toArray();
        Arrays.sort(sorted);
        int half = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    }

    /** A rate or count for people; a dash for what was not measured. */
    static String whole(double value) {
        return Double.isNaN(value) ? "-" : String.format(Locale.ROOT, "%,.0f", value);
    }

    static String ratio(double value) {
        return Double.isNaN(value) || Double.isInfinite(value) ? "-" : String.format(Locale.ROOT, "%.2f", value);
    }

    private static String number(double value) {
        return value == Math.rint(value)
                ? String.format(Locale.ROOT, "%.0f", value)
                : String.format(Locale.ROOT, "%.2f", value);
    }
}
