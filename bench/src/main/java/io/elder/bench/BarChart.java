package io.elder.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Horizontal bars in groups, as SVG. */
final class BarChart {
    private static final int BAR = 14;
    private static final int LEFT = 250;
    private static final int WIDTH = 560;
    private static final List<String> COLOURS =
            List.of("#1f6f8b", "#e08e45", "#7a9e7e", "#8d6a9f", "#c1554d", "#5c6b73", "#b8a13c");

    private record Group(String name, List<String> labels, List<Double> values) {}

    private final String title;
    private final String unit;
    private final List<Group> groups = new ArrayList<>();

    BarChart(String title, String unit) {
        this.title = title;
        this.unit = unit;
    }

    BarChart group(String name) {
        groups.add(new Group(name, new ArrayList<>(), new ArrayList<>()));
        return this;
    }

    /** Adds to the group that was begun last. What was not measured is left out. */
    BarChart bar(String label, double value) {
        if (!Double.isNaN(value)) {
            groups.getLast().labels().add(label);
            groups.getLast().values().add(value);
        }
        return this;
    }

    String svg() {
        double most = groups.stream()
                .flatMap(group -> group.values().stream())
                .mapToDouble(Double::doubleValue)
                .max()
                .orElse(1);
        StringBuilder body = new StringBuilder();
        int y = 40;
        for (Group group : groups) {
            body.append(text(10, y + 12, group.name(), "font-weight=\"bold\""));
            y += 20;
            for (int i = 0; i < group.values().size(); i++) {
                double value = group.values().get(i);
                double width = Math.max(1, value / most * WIDTH);
                body.append(text(LEFT - 8, y + 11, group.labels().get(i), "text-anchor=\"end\""));
                body.append(String.format(
                        Locale.ROOT,
                        "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>%n",
                        LEFT,
                        y,
                        width,
                        BAR - 2,
                        COLOURS.get(i % COLOURS.size())));
                String figure = value < 10 ? Report.ratio(value) : Report.whole(value);
                body.append(text((int) (LEFT + width + 6), y + 11, figure, ""));
                y += BAR + 2;
            }
            y += 10;
        }
        return String.format(
                        Locale.ROOT,
                        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">%n",
                        LEFT + WIDTH + 90,
                        y + 10)
                + "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
                + text(10, 22, title + ", " + unit, "font-size=\"15\"")
                + body
                + "</svg>\n";
    }

    private static String text(int x, int y, String text, String more) {
        String safe = text.replace("&", "&amp;").replace("<", "&lt;");
        return "<text x=\"" + x + "\" y=\"" + y + "\" " + more + ">" + safe + "</text>\n";
    }
}
