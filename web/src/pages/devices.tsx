import '../style/page.css';
import '../style/devices.css';
import { render } from 'preact';
import { Devices } from '../devices/devices.ts';
import { DevicesView } from '../devices/devices-view.tsx';
import { AccountNav } from '../page/account-nav.tsx';
import { emptyOnLeave } from '../page/leave.ts';
import { base } from '../page/base.ts';
import { found } from '../page/found.ts';
import { type PageState, startPage } from '../page/start.tsx';
import { createCookieClient } from '../session/client.ts';
import { TextsContext } from '../text/texts.ts';

interface DevicesState extends PageState {
  administration: boolean;
}

const client = createCookieClient(base);
const devices = new Devices(client, location.origin + base);
const loaded = devices.load();
emptyOnLeave(
  () => devices.load(),
  () => devices.forget(),
);

function Header({ administration }: { administration: boolean }): ReturnType<typeof AccountNav> {
  return (
    <AccountNav
      session={devices.session.value}
      here="devices"
      administration={administration}
      logOut={() => devices.endMany('this')}
    />
  );
}

void startPage<DevicesState>(({ administration }, texts) => {
  render(
    <TextsContext.Provider value={texts}>
      <Header administration={administration} />
    </TextsContext.Provider>,
    found('account'),
  );
  return (
    <DevicesView devices={devices} login={`${base}/login?next=${encodeURIComponent(`${base}/devices`)}`} />
  );
}, 'render').then(() => loaded);
