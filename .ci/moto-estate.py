"""Fills moto with an organization of three accounts in four regions; prints what is where, by account, region and kind."""

import collections
import io
import json
import sys
import zipfile

import boto3

url = sys.argv[1]
MANAGEMENT = "123456789012"
REGIONS = ["us-east-1", "us-west-2", "eu-central-1", "ap-southeast-2"]
SPREAD = len(REGIONS) * 3
KEYS = {"aws_access_key_id": "AKIAELDERTEST", "aws_secret_access_key": "moto-secret"}

found = collections.defaultdict(dict)


def share(total, place):
    """How many of so many belong to one place of twelve, so that no two places have quite the same."""
    return total // SPREAD + (1 if place < total % SPREAD else 0)


def client(service, region, keys):
    return boto3.client(service, region_name=region, endpoint_url=url, **keys)


def accounts():
    organizations = client("organizations", "us-east-1", KEYS)
    organizations.create_organization(FeatureSet="ALL")
    ids = [MANAGEMENT]
    for name in ("Производство", "staging"):
        made = organizations.create_account(Email=f"{len(ids)}@example.com", AccountName=name)
        ids.append(made["CreateAccountStatus"]["AccountId"])
    closed = organizations.create_account(Email="closed@example.com", AccountName="closed")
    organizations.close_account(AccountId=closed["CreateAccountStatus"]["AccountId"])
    return ids


def keys_of(account):
    if account == MANAGEMENT:
        return KEYS
    session = client("sts", "us-east-1", KEYS).assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/ElderDiscoveryRole", RoleSessionName="seed"
    )["Credentials"]
    return {
        "aws_access_key_id": session["AccessKeyId"],
        "aws_secret_access_key": session["SecretAccessKey"],
        "aws_session_token": session["SessionToken"],
    }


def instances(ec2, place):
    """Of every ten, three have no name and three are called alike, in every region and account."""
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    count = share(5000, place)
    ids = []
    for first in range(0, count, 500):
        size = min(500, count - first)
        made = ec2.run_instances(ImageId=image, MinCount=size, MaxCount=size, InstanceType="t3.micro")
        ids += [each["InstanceId"] for each in made["Instances"]]
    same = ids[: count * 3 // 10]
    named = ids[count * 3 // 10 : count * 7 // 10]
    for first in range(0, len(same), 200):
        ec2.create_tags(Resources=same[first : first + 200], Tags=[{"Key": "Name", "Value": "web"}])
    for index, each in enumerate(named[:20]):
        ec2.create_tags(
            Resources=[each],
            Tags=[{"Key": "Name", "Value": f"сервер-{index}-" + "長" * 200}, {"Key": "окружение", "Value": "本番"}],
        )
    return len(ids)


def package():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("main.py", "def handler(event, context): pass")
    return content.getvalue()


def fill(account, region, place, keys, role):
    here = found[f"{account}/{region}"]
    here["ec2_instance"] = instances(client("ec2", region, keys), place)
    rds = client("rds", region, keys)
    here["rds_instance"] = share(130, place)
    for index in range(here["rds_instance"]):
        rds.create_db_instance(
            DBInstanceIdentifier=f"orders-{index}",
            Engine="postgres",
            DBInstanceClass="db.t3.micro",
            AllocatedStorage=20,
            MasterUsername="elder",
            MasterUserPassword="canary-master-password",
        )
    functions = client("lambda", region, keys)
    here["lambda_function"] = share(260, place)
    for index in range(here["lambda_function"]):
        functions.create_function(
            FunctionName=f"resize-{index}",
            Runtime="python3.12",
            Role=role,
            Handler="main.handler",
            Code={"ZipFile": package()},
            Environment={"Variables": {"PASSWORD": "canary-function-password"}},
        )
    sqs = client("sqs", region, keys)
    here["sqs_queue"] = 7
    for index in range(7):
        sqs.create_queue(QueueName=f"work-{index}")
    dynamo = client("dynamodb", region, keys)
    here["dynamodb_table"] = 6
    for index in range(6):
        dynamo.create_table(
            TableName=f"items-{index}",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    topics = client("sns", region, keys)
    here["sns_topic"] = 3
    for index in range(3):
        topics.create_topic(Name=f"news-{index}")
    here["eks_cluster"] = 2
    eks = client("eks", region, keys)
    subnets = [each["SubnetId"] for each in client("ec2", region, keys).describe_subnets()["Subnets"]]
    for name in ("blue", "green"):
        eks.create_cluster(name=name, roleArn=role, resourcesVpcConfig={"subnetIds": subnets})
    balancers = client("elbv2", region, keys)
    here["load_balancer"] = 6
    for index in range(6):
        balancers.create_load_balancer(Name=f"front-{index}", Subnets=subnets[:2])


def globals_of(account, keys):
    here = found[f"{account}/global"]
    iam = client("iam", "us-east-1", keys)
    role = iam.create_role(RoleName="resize", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    # A member that is created has OrganizationAccountAccessRole, as at AWS.
    here["iam_role"] = 12 if account == MANAGEMENT else 13
    for index in range(11):
        iam.create_role(RoleName=f"worker-{index}", AssumeRolePolicyDocument="{}")
    here["iam_user"] = 8
    iam.create_group(GroupName="admins")
    here["iam_group"] = 1
    here["iam_group_member"] = 4
    for index in range(8):
        iam.create_user(UserName=f"user-{index}")
        if index < 4:
            iam.add_user_to_group(GroupName="admins", UserName=f"user-{index}")
    s3 = client("s3", "us-east-1", keys)
    here["s3_bucket"] = 4
    for region in REGIONS:
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        client("s3", region, keys).create_bucket(Bucket=f"logs-{account}-{region}", **where)
    return role


def main():
    client("sts", "us-east-1", KEYS).get_caller_identity()
    place = 0
    ids = accounts()
    for account in ids:
        keys = keys_of(account)
        role = globals_of(account, keys)
        for region in REGIONS:
            fill(account, region, place, keys, role)
            place += 1
    json.dump({"accounts": ids, "regions": REGIONS, "found": found}, sys.stdout, indent=1)


main()
