package io.elder.fetch.aws;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.elder.fetch.Page;
import io.elder.fetch.Partition;
import io.elder.fetch.testkit.Answer;
import io.elder.fetch.testkit.ScriptedServer;
import io.elder.runtime.Settings;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.awscore.AwsRequestOverrideConfiguration;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.ec2.model.DescribeInstancesResponse;

class EarlyTokenTest {
    private ScriptedServer server;
    private AwsClient aws;

    @BeforeEach
    void connect() throws Exception {
        server = ScriptedServer.start(getClass());
        server.on("POST /?Action=GetCallerIdentity", "answers/caller.xml");
        aws = new AwsProvider()
                .connect(Settings.of(Map.of(
                        "AWS_ENDPOINT_URL", server.url(),
                        "AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE",
                        "AWS_SECRET_ACCESS_KEY", "secret-of-the-test",
                        "AWS_REGIONS", "eu-west-1")));
    }

    @AfterEach
    void close() {
        aws.close();
        server.close();
    }

    @Test
    void theNextPageIsKnownWhileThisOneIsStillBeingRead() throws Exception {
        answer("<reservationSet/><nextToken>page/2==</nextToken></DescribeInstancesResponse>");
        CountDownLatch isNextKnown = new CountDownLatch(1);
        Page<ObjectNode> page = EarlyToken.page(configuration -> {
            DescribeInstancesResponse answer = ask(configuration);
            await(isNextKnown);
            return new Page<>(List.of(), answer.nextToken());
        });
        assertThat(page.next()).isEqualTo("page/2==");
        isNextKnown.countDown();
        assertThat(page.items()).isEmpty();
    }

    @Test
    void aTokenThatNeedsDecodingIsTheSdks() throws Exception {
        answer("<reservationSet/><nextToken>a&amp;b</nextToken></DescribeInstancesResponse>");
        assertThat(EarlyToken.page(this::page).next()).isEqualTo("a&b");
    }

    @Test
    void anAnswerThatIsCrookedAfterItsTokenIsNoPage() throws Exception {
        answer("<nextToken>page-2</nextToken><reservationSet><item></DescribeInstancesResponse>");
        Page<ObjectNode> page = EarlyToken.page(this::page);
        assertThatThrownBy(page::items).isInstanceOf(SdkException.class);
    }

    @Test
    void aRefusalIsThrownAtOnce() {
        server.on(
                "POST /?Action=DescribeInstances",
                Answer.of(
                        403,
                        "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>"));
        assertThatThrownBy(() -> EarlyToken.page(this::page)).hasMessageStartingWith("no (");
    }

    private void answer(String rest) {
        server.on(
                "POST /?Action=DescribeInstances",
                Answer.of(200, "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">" + rest)
                        .header("Content-Type", "text/xml"));
    }

    private Page<ObjectNode> page(AwsRequestOverrideConfiguration configuration) {
        return new Page<>(List.of(), ask(configuration).nextToken());
    }

    private DescribeInstancesResponse ask(AwsRequestOverrideConfiguration configuration) {
        return aws.of(Ec2Client.class, Ec2Client::builder, new Partition("123456789012", "eu-west-1"))
                .describeInstances(r -> r.overrideConfiguration(configuration));
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
