package io.elder.writeback;

import static org.assertj.core.api.Assertions.assertThat;

import io.elder.estate.Directory;
import io.elder.estate.Door;
import org.junit.jupiter.api.Test;

/** What every target over HTTP keeps beyond that. */
abstract class HttpTargetContract extends TargetContract {
    abstract Door door();

    abstract Directory directory();

    @Override
    final boolean isIn(String user) {
        return directory().membersOf(group()).containsKey(user);
    }

    @Test
    final void throttlingIsWaitedOut() throws InterruptedException {
        door().refuse(429, 2);
        assertThat(make("add", group(), stranger()).outcome()).isEqualTo(Outcome.APPLIED);
        assertThat(pauses()).isNotEmpty();
        assertThat(isIn(stranger())).isTrue();
    }

    @Test
    final void brokenAnswersAreAskedForAgainAndThenLeftForLater() throws InterruptedException {
        door().refuse(500, 3);
        assertThat(make("add", group(), stranger()).outcome()).isEqualTo(Outcome.APPLIED);
        door().refuse(503, 50);
        assertThat(make("remove", group(), stranger()).outcome()).isEqualTo(Outcome.FAILED);
        assertThat(isIn(stranger())).isTrue();
        door().open();
        assertThat(make("remove", group(), stranger()).outcome()).isEqualTo(Outcome.APPLIED);
    }

    @Test
    final void anAnswerThatGetsLostIsAskedForAgain() throws InterruptedException {
        door().loseAnswers(1);
        assertThat(make("add", group(), stranger()).outcome()).isEqualTo(Outcome.APPLIED);
        assertThat(door().writes()).hasSize(2);
    }

    @Test
    final void aRevokedTokenIsSaidUntilItWorksAgain() throws InterruptedException {
        door().refuse(401, 1);
        assertThat(make("add", group(), stranger()).outcome()).isEqualTo(Outcome.FAILED);
        assertThat(caller().troubles()).containsKey(provider());
        assertThat(caller().troubles().toString()).contains("401").doesNotContain("token-");
        assertThat(make("add", group(), stranger()).outcome()).isEqualTo(Outcome.APPLIED);
        assertThat(caller().troubles()).isEmpty();
    }
}
