package io.elder.fetch.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.elder.fetch.Page;
import io.elder.fetch.ReadFailure;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NumberedPagesTest {
    private final TreeSet<Integer> there = new TreeSet<>();
    private int asked;

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 7, 100})
    void aListThatStaysIsReadOnce(int most) throws Exception {
        for (int count : new int[] {0, 1, 6, 12, 99, 100, 101, 700, 4321}) {
            there.clear();
            IntStream.range(0, count).forEach(there::add);
            asked = 0;
            assertThat(read(pages(most), most)).isEqualTo(List.copyOf(there));
            double atMost = 2 + (most < 100 ? 2.0 : 1.15) * count / most;
            assertThat(asked).as("%s in pages of %s", count, most).isLessThanOrEqualTo((int) atMost);
        }
    }

    /** Between any two requests some go and others come: either nobody who stayed was missed, or the list has moved. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void nobodyWhoStaysIsMissed(long seed) throws Exception {
        Random random = new Random(seed);
        int whole = 0;
        for (int round = 0; round < 300; round++) {
            there.clear();
            random.ints(200, 0, 1000).forEach(there::add);
            Set<Integer> stayed = new HashSet<>(there);
            List<Integer> seen = new ArrayList<>();
            try {
                String cursor = null;
                do {
                    Page<Integer> page = pages(20).page(cursor, this::ask);
                    seen.addAll(page.items());
                    cursor = page.next();
                    if (random.nextInt(4) == 0) {
                        List<Integer> now = List.copyOf(there);
                        Integer goes = now.get(random.nextInt(now.size()));
                        there.remove(goes);
                        stayed.remove(goes);
                        // As many as before: a count says nothing.
                        there.add(random.nextInt(1000));
                    }
                } while (cursor != null);
            } catch (ReadFailure e) {
                assertThat(e).hasMessageContaining("the rest has moved");
                continue;
            }
            whole++;
            assertThat(seen).containsAll(stayed);
        }
        assertThat(whole).isBetween(20, 200);
    }

    @Test
    void whoMovedUpBehindOneWhoCameIsNotMissed() throws Exception {
        IntStream.range(0, 250).forEach(there::add);
        Page<Integer> first = pages(100).page(null, this::ask);
        there.remove(20);
        there.add(250);
        assertThatThrownBy(() -> pages(100).page(first.next(), this::ask))
                .isInstanceOf(ReadFailure.class)
                .hasMessage("things: 99 is not where it was on the page before: the rest has moved");
    }

    @Test
    void whatComesOrGoesBehindIsNoMove() throws Exception {
        IntStream.range(0, 250).forEach(there::add);
        Page<Integer> first = pages(100).page(null, this::ask);
        there.remove(150);
        there.add(250);
        assertThat(pages(100).page(first.next(), this::ask).items())
                .startsWith(100)
                .doesNotContain(150);
    }

    /** It gives at most 30, whatever it is asked for: its own pages, one after the other. */
    @Test
    void aServerWithPagesOfItsOwnIsReadToo() throws Exception {
        IntStream.range(0, 250).forEach(there::add);
        List<Integer> seen = new ArrayList<>();
        String cursor = null;
        do {
            Page<Integer> page = pages(100).page(cursor, (number, size) -> ask(number, 30));
            seen.addAll(page.items());
            cursor = page.next();
        } while (cursor != null);
        assertThat(seen).isEqualTo(List.copyOf(there));
    }

    @Test
    void aServerWithPagesOfItsOwnThatMoveIsReadAgain() throws Exception {
        IntStream.range(0, 250).forEach(there::add);
        Page<Integer> first = pages(100).page(null, (number, size) -> ask(number, 30));
        there.remove(20);
        assertThatThrownBy(() -> pages(100).page(first.next(), (number, size) -> ask(number, 30)))
                .isInstanceOf(ReadFailure.class)
                .hasMessage("things: 249 in all, which were 250 on the page before: the rest has moved");
    }

    @Test
    void aListInAnyOrderThatHasFewerThanBeforeIsReadAgain() throws Exception {
        IntStream.range(0, 250).forEach(there::add);
        NumberedPages<Integer> pages = NumberedPages.inAnyOrder("things", 100);
        Page<Integer> first = pages.page(null, this::ask);
        there.remove(20);
        assertThatThrownBy(() -> pages.page(first.next(), this::ask))
                .isInstanceOf(ReadFailure.class)
                .hasMessageContaining("249 in all, which were 250");
    }

    @Test
    void anEmptyPageThatIsSaidNotToBeTheLastIsNotFollowed() {
        assertThatThrownBy(
                        () -> pages(10).page(null, (number, size) -> new NumberedPages.Numbered<>(List.of(), false, 0)))
                .isInstanceOf(ReadFailure.class)
                .hasMessage("things: page 0, of 10 each, has nothing new, and is said not to be the last");
    }

    private static NumberedPages<Integer> pages(int most) {
        return NumberedPages.inOrder("things", most, String::valueOf);
    }

    private List<Integer> read(NumberedPages<Integer> pages, int most) throws Exception {
        List<Integer> seen = new ArrayList<>();
        String cursor = null;
        do {
            Page<Integer> page = pages.page(cursor, (number, size) -> {
                assertThat(size).isBetween(1, most);
                return ask(number, size);
            });
            seen.addAll(page.items());
            cursor = page.next();
        } while (cursor != null);
        return seen;
    }

    private NumberedPages.Numbered<Integer> ask(int number, int size) {
        asked++;
        List<Integer> all = List.copyOf(there);
        int from = Math.min(all.size(), number * size);
        int to = Math.min(all.size(), from + size);
        return new NumberedPages.Numbered<>(all.subList(from, to), to == all.size(), all.size());
    }
}
