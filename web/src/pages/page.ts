/** For pages that are complete without a script: what every page has. */
import '../style/page.css';
import { switchTheme } from '../page/theme.ts';

switchTheme();
